import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileOp } from '../types.ts';
import { OpBatch } from './op-batch.ts';

const op = (path: string): FileOp => ({
	kind: 1,
	path,
	mode: 0,
	uid: 0,
	gid: 0,
	device: 0n,
	atime_ns: 0n,
	mtime_ns: 0n,
	name: '',
	value: new Uint8Array(),
});

test('all operations arrive in order, one batch at a time', async () => {
	const seen: string[] = [];
	let running = 0;
	const batch = new OpBatch(async (ops) => {
		assert.equal(++running, 1);
		await new Promise(setImmediate);
		seen.push(...ops.map(({ path }) => path));
		running--;
	});
	const wanted = Array.from({ length: 1000 }, (_, i) => String(i));
	for (const path of wanted) await batch.add(op(path));
	await batch.flush();
	assert.deepEqual(seen, wanted);
	await batch.flush();
	assert.equal(seen.length, 1000);
});

test('a failure is told by the next call', async () => {
	const batch = new OpBatch(() => Promise.reject(new Error('no')));
	await batch.add(op('a'));
	await assert.rejects(batch.flush(), /no/);
});
