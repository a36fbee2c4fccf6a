/** Two looks at the machine that must agree: ours, which asks none of the daemon's code, and the doctor's. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { examine } from '../../src/cli/doctor/look.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { lastingStrangersOf } from '../support/leftovers.ts';

/** Everything on the machine belongs to something that the daemon lists. Only while no call is under way. */
export async function assertNothingStrange(daemon: TestDaemon, when: string): Promise<void> {
	const { cri, instance, folder } = daemon;
	const sandboxes = (await cri.ListPodSandbox()).items.map(({ id }) => id);
	const containers = (await cri.ListContainers()).containers.map(({ id }) => id);
	assert.deepEqual(await lastingStrangersOf({ instance, folder, sandboxes, containers }), [], when);
	const { findings } = await examine({ config: configOf(daemon), daemonRuns: true, fix: false, youngMs: 0 });
	assert.deepEqual(
		findings.map(({ kind, name, why }) => `${kind} ${name}: ${why}`),
		[],
		`the doctor agrees, ${when}`,
	);
}

function configOf({ instance, folder, address }: TestDaemon) {
	return loadConfig({
		config: join(folder, 'gantry.toml'),
		listen: address,
		root: join(folder, 'root'),
		state: join(folder, 'state'),
		set: [`instance=${instance}`],
	}).config;
}
