import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { readSpec, readTeardown, writeBundle } from './bundle.ts';
import { readExitRecord } from './exit-record.ts';
import { context, sampleSpec } from './plan/sample.ts';
import { lowerTeardown } from './plan/teardown.ts';

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), 'gantry-bundle-'));
});
afterEach(async () => {
	await rm(folder, { recursive: true });
});

test('a bundle gives back its spec and its teardown plan', async () => {
	const bundle = join(folder, 'c1', 'bundle');
	const spec = sampleSpec({ hooks: { poststop: [{ path: '/x' }] } });
	const teardown = lowerTeardown(spec, context);
	await writeBundle(bundle, 'c1', spec, teardown);
	assert.deepEqual(await readSpec(bundle), spec);
	assert.deepEqual(await readTeardown(bundle, 'c1'), teardown);
	await assert.rejects(readTeardown(bundle, 'c2'), {
		condition: 'DATA_LOSS',
		message: /no teardown plan of c2/,
	});
});

test('no bundle is no error, a broken one is', async () => {
	assert.equal(await readSpec(folder), undefined);
	assert.equal(await readTeardown(folder, 'c'), undefined);
	await writeFile(join(folder, 'teardown.json'), '{"id":"c","plan":[{"op":"unmount"}]}');
	await assert.rejects(readTeardown(folder, 'c'), {
		condition: 'DATA_LOSS',
		message: /unmount\.path is missing/,
	});
	await writeFile(join(folder, 'teardown.json'), 'null');
	await assert.rejects(readTeardown(folder, 'c'), { condition: 'DATA_LOSS' });
	await writeFile(join(folder, 'config.json'), '{"ociVersion":');
	await assert.rejects(readSpec(folder), { condition: 'DATA_LOSS' });
});

test('exit records', async () => {
	assert.equal(await readExitRecord(folder), undefined);
	await writeFile(join(folder, 'exit'), 'pid=12\nexit_code=-1\nsignal=9\nexited_at_ns=1700000000000000001\n');
	assert.deepEqual(await readExitRecord(folder, 'c'), {
		id: 'c',
		pid: 12,
		exitCode: -1,
		signal: 9,
		exitedAtNs: 1700000000000000001n,
	});
	await writeFile(join(folder, 'exit'), 'pid=12\n');
	await assert.rejects(readExitRecord(folder), { condition: 'DATA_LOSS', message: /has no exit_code/ });
});
