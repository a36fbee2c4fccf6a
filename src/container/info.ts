import { join } from 'node:path';
import type { Daemon } from '../server/types.ts';
import { specOf } from './bundle-spec.ts';
import type { Container } from './types.ts';

/** The verbose part of ContainerStatus, for people and for tools of ours. */
export async function containerInfo(
	{ sandboxes }: Pick<Daemon, 'sandboxes'>,
	{ metadata, status }: Container,
): Promise<object> {
	sandboxes.shims.get(metadata.sandboxId)?.writePlans();
	const bundle = join(metadata.folder, 'bundle');
	return {
		sandboxID: metadata.sandboxId,
		sandboxId: metadata.sandboxId,
		pid: status.process?.pid ?? 0,
		removing: status.removing,
		config: metadata.config,
		cgroupsPath: metadata.cgroupsPath,
		timeline: status.timeline,
		bundle,
		plan: join(bundle, 'plan.txt'),
		runtimeSpec: await specOf(metadata).catch(() => undefined),
	};
}
