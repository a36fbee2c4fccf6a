import { join } from 'node:path';
import type { Daemon } from '../server/types.ts';
import { withheldCapabilities } from '../spec/with-capabilities.ts';
import { specOf } from './bundle-spec.ts';
import { lostOutputBytes } from './lost-output.ts';
import { type Container, hasCgroup } from './types.ts';

type Parts = Pick<Daemon, 'sandboxes' | 'containers' | 'images' | 'cgroups' | 'recentErrors' | 'config'>;

/**
 * The verbose part of ContainerStatus, for people and for tools: `sandboxID`, `pid`, `removing`, `privileged`,
 * `config` and `runtimeSpec` are called as other runtimes call them (`crictl inspect`). `withheldCapabilities` are those
 * that were asked for and that the daemon may not give.
 */
export async function containerInfo(parts: Parts, container: Container): Promise<object> {
	const { metadata, status } = container;
	parts.sandboxes.shims.get(metadata.sandboxId)?.writePlans();
	const security = metadata.config.linux?.security_context ?? undefined;
	const bundle = join(metadata.folder, 'bundle');
	return {
		sandboxID: metadata.sandboxId,
		sandboxId: metadata.sandboxId,
		pid: status.process?.pid ?? 0,
		removing: status.removing,
		privileged: security?.privileged ?? false,
		withheldCapabilities: withheldCapabilities({
			privileged: security?.privileged ?? false,
			security,
			host: parts.containers.host,
			defaults: parts.config.runtime,
		}),
		config: metadata.config,
		resources: status.resources,
		...(await cgroupInfo(parts, container)),
		image: metadata.image,
		snapshot: snapshotInfo(parts, container),
		log: { path: metadata.logPath, lostBytes: await lostOutputBytes(metadata.logPath) },
		underWay: underWay(parts, container),
		recentErrors: parts.recentErrors.of(metadata.id),
		timeline: status.timeline,
		bundle,
		plan: join(bundle, 'plan.txt'),
		runtimeSpec: await specOf(metadata).catch(() => undefined),
	};
}

async function cgroupInfo({ cgroups }: Parts, container: Container): Promise<object> {
	const { cgroupsPath } = container.metadata;
	if (!hasCgroup(container)) return { cgroupsPath };
	return {
		cgroupsPath,
		cgroups: cgroups.folders(cgroupsPath),
		processes: await cgroups.processes(cgroupsPath).catch(() => []),
	};
}

/** The folders that its root file system is made of. */
function snapshotInfo({ containers, images }: Parts, { metadata }: Container): object {
	const folder = containers.layerFolder(metadata.id);
	return {
		lowers: layersOf(images, metadata.image.id),
		upper: join(folder, 'upper'),
		work: join(folder, 'work'),
	};
}

function layersOf(images: Parts['images'], imageId: string): readonly string[] {
	try {
		return images.layersOf(imageId);
	} catch {
		return []; // the image's record is lost
	}
}

/** What is being done to it at this moment. */
function underWay({ containers }: Parts, { metadata: { id } }: Container): readonly string[] {
	return [...(containers.stops.has(id) ? ['stop'] : []), ...(containers.removals.has(id) ? ['remove'] : [])];
}
