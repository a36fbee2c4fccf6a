import { messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { type Op, readTeardown } from '#runtime';
import type { Daemon } from '../server/types.ts';
import { unlessHung } from './hung-shim.ts';
import { findCgroups, removeCgroup } from './lost-cgroups.ts';

/** Longest time a teardown plan may take: its hooks, and processes that take long to die. */
export const DELETE_TIMEOUT_MS = 60_000;

interface Target {
	readonly sandboxId: string;
	readonly id: string;
	readonly bundle: string;
}

/**
 * OCI delete of one container of a sandbox, by the shim, or when that is gone by the launcher with the same plan.
 * What poststop hooks fail with is logged: it never keeps an object. Neither does a bundle that is lost. Folders that a
 * container wrote to stay: they may take long, and are the caller's matter.
 */
export async function deleteFromRuntime(daemon: Daemon, target: Target): Promise<void> {
	const plan = (await readPlan(daemon, target))?.filter(({ op }) => op !== 'remove_tree');
	const hookError = await carryOut(daemon, target, plan);
	if (hookError !== '') {
		daemon.log.warn('poststop hooks failed', { id: target.id, hookError });
		// Only the network has hooks.
		daemon.metrics.networkFailed('detach');
	}
	if (plan !== undefined) return;
	for (const path of await findCgroups(daemon, (id) => id === target.id)) await removeCgroup(daemon, path);
}

async function carryOut(
	daemon: Daemon,
	{ sandboxId, id }: Target,
	plan: readonly Op[] | undefined,
): Promise<string> {
	const { sandboxes, launcher } = daemon;
	const shim = sandboxes.shims.get(sandboxId);
	if (shim === undefined)
		return plan === undefined ? '' : await changing('container.delete', () => launcher.teardown(plan));
	const { hookError } = await unlessHung(daemon, sandboxId, shim, () =>
		changing('container.delete', () => shim.delete(id, plan && { teardown: plan })),
	);
	return hookError;
}

/** undefined when there is none, or none that can be understood. */
async function readPlan({ log }: Daemon, { id, bundle }: Target): Promise<readonly Op[] | undefined> {
	try {
		return await readTeardown(bundle, id);
	} catch (error) {
		log.warn('a teardown plan is lost; what is left is found by its name', {
			bundle,
			error: messageOf(error),
		});
		return undefined;
	}
}
