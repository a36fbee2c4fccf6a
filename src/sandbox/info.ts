import { join } from 'node:path';
import { readSpec } from '#runtime';
import type { Daemon } from '../server/types.ts';
import type { Making } from '../store/names.ts';
import type { Sandbox } from './types.ts';

type Parts = Pick<Daemon, 'network' | 'sandboxes' | 'containers' | 'recentErrors'>;

/**
 * The verbose part of PodSandboxStatus, for people and for tools: `pid`, `config`, `runtimeHandler` and `runtimeSpec`
 * are called as other runtimes call them (`crictl inspectp`).
 */
export async function sandboxInfo(parts: Parts, { metadata, status }: Sandbox): Promise<object> {
	const { id, folder, hostNetwork } = metadata;
	const { network, sandboxes } = parts;
	sandboxes.shims.get(id)?.writePlans();
	const bundle = join(folder, 'bundle');
	return {
		sandboxId: id,
		pid: status.pause?.pid ?? 0,
		shimPid: status.shim?.pid ?? 0,
		shimSocket: sandboxes.shims.socketPath(id),
		reason: status.reason,
		message: status.message,
		runtimeHandler: metadata.runtimeHandler,
		config: metadata.config,
		overhead: status.overhead ?? metadata.config.linux?.overhead,
		resources: status.resources ?? metadata.config.linux?.resources,
		cgroupParent: metadata.cgroupParent,
		files: sandboxes.filesOf(id),
		network: status.network,
		networkReleased: status.networkReleased,
		networkPlan: hostNetwork ? [] : await network.describe(folder).catch(() => []),
		underWay: underWay(parts, id),
		recentErrors: parts.recentErrors.of(id),
		timeline: status.timeline,
		bundle,
		plan: join(bundle, 'plan.txt'),
		runtimeSpec: await readSpec(bundle).catch(() => undefined),
	};
}

/** What is being done to it, and made in it, at this moment. */
function underWay({ sandboxes, containers }: Parts, id: string): readonly (string | Making)[] {
	return [
		...(sandboxes.stops.has(id) ? ['stop'] : []),
		...(sandboxes.removals.has(id) ? ['remove'] : []),
		...containers.names.making().filter(({ name }) => name.startsWith(`${id}/`)),
	];
}
