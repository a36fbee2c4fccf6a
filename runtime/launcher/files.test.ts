import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FsOp } from '../types.ts';
import { batches } from './files.ts';

const op = (path: string, bytes = 0): FsOp => ({
	kind: 1,
	path,
	mode: 0,
	uid: 0,
	gid: 0,
	device: 0n,
	atime_ns: 0n,
	mtime_ns: 0n,
	name: '',
	value: Buffer.alloc(bytes),
});

test('batches keep the order and stay below the limit', () => {
	const ops = ['a', 'b', 'c', 'd'].map((path) => op(path, 100));
	assert.deepEqual([...batches(ops, 340)], [ops.slice(0, 2), ops.slice(2, 4)]);
});

test('one operation that is too large alone is sent alone', () => {
	const ops = [op('a'), op('b', 1000), op('c')];
	assert.deepEqual(
		[...batches(ops, 200)].map((batch) => batch.length),
		[1, 1, 1],
	);
});

test('nothing', () => {
	assert.deepEqual([...batches([])], []);
});
