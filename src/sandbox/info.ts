import { join } from 'node:path';
import { readSpec } from '#runtime';
import type { Daemon } from '../server/types.ts';
import type { Sandbox } from './types.ts';

/** The verbose part of PodSandboxStatus, for people and for tools of ours. */
export async function sandboxInfo(
	{ network, sandboxes }: Pick<Daemon, 'network' | 'sandboxes'>,
	{ metadata, status }: Sandbox,
): Promise<object> {
	sandboxes.shims.get(metadata.id)?.writePlans();
	const bundle = join(metadata.folder, 'bundle');
	return {
		sandboxId: metadata.id,
		pid: status.pause?.pid ?? 0,
		shimPid: status.shim?.pid ?? 0,
		reason: status.reason,
		message: status.message,
		config: metadata.config,
		cgroupParent: metadata.cgroupParent,
		network: status.network === undefined ? undefined : { ...status.network, data: undefined },
		networkPlan: metadata.hostNetwork ? [] : await network.describe(metadata.folder).catch(() => []),
		timeline: status.timeline,
		bundle,
		plan: join(bundle, 'plan.txt'),
		runtimeSpec: await readSpec(bundle).catch(() => undefined),
	};
}
