import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfiguration, watchFolder } from './conf-dir.ts';

const VALID = '{"cniVersion":"1.0.0","name":"good","type":"bridge"}';

test('the first valid file by name is used, and those before it are told', async () => {
	const folder = await mkdtemp(join(tmpdir(), 'gantry-cni-'));
	try {
		assert.match((await loadConfiguration(`${folder}/none`)).problems.join(), /it does not exist/);
		assert.match((await loadConfiguration(folder)).problems.join(), /no CNI configuration in/);
		await writeFile(`${folder}/10-bad.conf`, '{');
		await writeFile(`${folder}/20-good.json`, VALID);
		await writeFile(`${folder}/30-later.conf`, VALID.replace('good', 'later'));
		await writeFile(`${folder}/00-ignored.conf.bak`, VALID.replace('good', 'backup'));
		const { network, problems } = await loadConfiguration(folder);
		assert.equal(network?.name, 'good');
		assert.equal(problems.length, 1);
		assert.match(problems[0] ?? '', /^10-bad\.conf: it is not JSON/);
	} finally {
		await rm(folder, { recursive: true });
	}
});

test('a folder that comes, goes and comes back is seen each time', async () => {
	const parent = await mkdtemp(join(tmpdir(), 'gantry-cni-'));
	const folder = join(parent, 'net.d');
	let changed = Promise.withResolvers<void>();
	const next = async (work: () => Promise<unknown>) => {
		changed = Promise.withResolvers<void>();
		await work();
		await changed.promise;
	};
	// The poll would hide a lost watch: the test must not last as long as it waits.
	const watch = watchFolder(folder, () => changed.resolve(), { pollMs: 3_600_000 });
	try {
		await next(() => mkdir(folder));
		await next(() => writeFile(`${folder}/10.conf`, VALID));
		await next(() => rm(folder, { recursive: true }));
		await next(() => mkdir(folder));
		await next(() => writeFile(`${folder}/10.conf`, VALID));
	} finally {
		watch[Symbol.dispose]();
		await rm(parent, { recursive: true });
	}
});
