import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLog } from '#base/log.ts';
import { Leases } from './leases.ts';
import { SetAside } from './set-aside.ts';

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'images-leases-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const open = () =>
	Leases.open({
		root: join(folder, 'leases'),
		setAside: new SetAside(join(folder, 'unreadable'), silentLog),
	});

test('leases outlive the store, and end when released', async () => {
	const leases = await open();
	await leases.take({ holder: '../a/b', imageId: 'i' });
	await leases.take({ holder: '../a/b', imageId: 'i' });
	await leases.take({ holder: 'c', imageId: 'i' });
	await assert.rejects(leases.take({ holder: 'c', imageId: 'other' }), {
		condition: 'FAILED_PRECONDITION',
		message: /release it first/,
	});
	const again = await open();
	assert.deepEqual(again.holdersOf('i').sort(), ['../a/b', 'c']);
	await again.release('../a/b');
	await again.release('unknown');
	assert.deepEqual((await open()).list(), [{ holder: 'c', imageId: 'i' }]);
});

test('unreadable ones are kept aside, half-written ones count for nothing', async () => {
	await open();
	writeFileSync(join(folder, 'leases/x.json'), '{');
	writeFileSync(join(folder, 'leases/y.json.12345678.tmp'), '');
	assert.deepEqual((await open()).list(), []);
	assert.deepEqual(readdirSync(join(folder, 'leases')), ['y.json.12345678.tmp']);
	assert.equal(readdirSync(join(folder, 'unreadable')).length, 1);
});
