/** critest's specs of AppArmor, which need a kernel that has it: hack/test-v2 runs them where critest is on PATH. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { startTestDaemon } from '../support/daemon.ts';
import { read } from '../support/machine.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';
import { readSpecs } from './specs.ts';

const hasCritest = (process.env.PATH ?? '')
	.split(delimiter)
	.some((folder) => existsSync(join(folder, 'critest')));
const hasAppArmor = read('/sys/module/apparmor/parameters/enabled') === 'Y';
const missing = [
	hasCritest ? [] : ['critest is not on PATH'],
	hasAppArmor ? [] : ['this kernel has no AppArmor'],
].flat();

test('critest finds AppArmor as it should be', {
	skip: missing.length > 0 && `${missing.join(', ')}: its AppArmor specs did NOT run`,
}, async () => {
	await using registry = await startRegistry();
	await registry.pushImage({
		name: 'registry.k8s.io/e2e-test-images/busybox',
		tag: '1.29-2',
		layers: [{ entries: busyboxEntries() }],
		config: { Cmd: ['sh'], Env: ['PATH=/bin'] },
	});
	const mirrors = join(registry.folder, 'registries.conf');
	const mirror = `location = "${registry.host}/registry.k8s.io"\ninsecure = true\n`;
	writeFileSync(mirrors, `[[registry]]\nlocation = "registry.k8s.io"\n[[registry.mirror]]\n${mirror}`);
	await using daemon = await startTestDaemon({ args: ['--set', `images.registries_conf=${mirrors}`] });
	const report = join(daemon.folder, 'report.json');
	// critest loads its profiles by sudo, which a machine without users has not.
	writeFileSync(join(daemon.folder, 'sudo'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
	const said = await critest(
		daemon.folder,
		...['--runtime-endpoint', daemon.address, '--image-endpoint', daemon.address],
		...['--ginkgo.no-color', '--ginkgo.focus', 'AppArmor', '--ginkgo.json-report', report],
	);
	assert.ok(existsSync(report), said);
	const specs = readSpecs(readFileSync(report, 'utf8'));
	assert.deepEqual(
		specs.filter(({ outcome }) => outcome !== 'passed'),
		[],
		said,
	);
	assert.ok(specs.length >= 3, `only ${specs.length} specs ran`);
});

/** Its output; how it ended, its report tells. Programs that are not on PATH are looked for in `cwd`. */
const critest = (cwd: string, ...args: readonly string[]): Promise<string> =>
	new Promise((resolve) => {
		const env = { ...process.env, PATH: `${process.env.PATH}${delimiter}${cwd}` };
		execFile('critest', args, { cwd, env }, (_error, stdout, stderr) => resolve(`${stdout}${stderr}`));
	});
