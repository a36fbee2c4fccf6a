import { changing } from '#base/fault-points.ts';
import { readTeardown } from '#runtime';
import type { Daemon } from '../server/types.ts';
import { unlessHung } from './hung-shim.ts';

/** Longest time a teardown plan may take: its hooks, and processes that take long to die. */
export const DELETE_TIMEOUT_MS = 60_000;

/**
 * OCI delete of one container of a sandbox, by the shim, or when that is gone by the launcher with the same plan.
 * What poststop hooks fail with is logged: it never keeps an object.
 */
export async function deleteFromRuntime(
	daemon: Daemon,
	target: { readonly sandboxId: string; readonly id: string; readonly bundle: string },
): Promise<void> {
	const { sandboxes, launcher, log } = daemon;
	const { sandboxId, id } = target;
	const shim = sandboxes.shims.get(sandboxId);
	if (shim !== undefined) {
		const { hookError } = await unlessHung(daemon, sandboxId, shim, () =>
			changing('container.delete', () => shim.delete(id)),
		);
		if (hookError !== '') log.warn('poststop hooks failed', { id, hookError });
		return;
	}
	const plan = await readTeardown(target.bundle);
	if (plan === undefined) return;
	const hookError = await changing('container.delete', () => launcher.teardown(plan));
	if (hookError !== '') log.warn('poststop hooks failed', { id, hookError });
}
