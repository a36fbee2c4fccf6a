/** The AppArmor profile of a daemon that was killed is found and taken away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read } from '../support/machine.ts';
import { setCliStage } from './stage.ts';

const hasAppArmor = read('/sys/module/apparmor/parameters/enabled') === 'Y';

test('gantry doctor takes the profile away when nothing of the instance lives', {
	skip: !hasAppArmor && 'this kernel has no AppArmor: NOT tested (hack/test-v2 does)',
}, async () => {
	await using stage = await setCliStage();
	const { daemon, gantry } = stage;
	const name = `${daemon.instance}-default`;
	const isLoaded = () => read('/sys/kernel/security/apparmor/profiles').includes(`${name} (`);
	const found = async (...options: string[]): Promise<readonly string[]> =>
		JSON.parse((await gantry('--json', 'doctor', ...options)).stdout).findings.map(
			(finding: { kind: string; name: string }) => `${finding.kind} ${finding.name}`,
		);
	await daemon.cri.Status({ verbose: true });
	assert.ok(isLoaded());
	assert.ok(!(await found()).includes(`AppArmor profile ${name}`), 'a daemon runs');
	await daemon.stop('SIGKILL');
	assert.ok((await found('--fix')).includes(`AppArmor profile ${name}`));
	assert.ok(!isLoaded());
	await daemon.start();
	await daemon.cri.Status({ verbose: true });
	assert.ok(isLoaded());
});
