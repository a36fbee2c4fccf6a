/** Two looks at the machine that must agree: ours, which asks none of the daemon's code, and the doctor's. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { examine } from '../../src/cli/doctor/look.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { strangersOf } from '../support/leftovers.ts';

const LOOKS = 40;

/** Everything on the machine belongs to something that the daemon lists. Only while no call is under way. */
export async function assertNothingStrange(daemon: TestDaemon, when: string): Promise<void> {
	const { cri, instance, folder } = daemon;
	const sandboxes = (await cri.ListPodSandbox()).items.map(({ id }) => id);
	const containers = (await cri.ListContainers()).containers.map(({ id }) => id);
	const strangers = () => strangersOf({ instance, folder, sandboxes, containers });
	// What a killed launcher had forked ends with its work, a moment after it.
	for (let look = 0; look < LOOKS && strangers().length > 0; look++) await sleep(50);
	assert.deepEqual(strangers(), [], when);
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
