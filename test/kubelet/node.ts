/** A node for a kubelet: a private daemon, a registry on loopback with two images, and the kubelet's folders. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setStage } from '../crictl/stage.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { Kubelet } from './kubelet.ts';
import type { ContainerSpec, NodeFolders, PodSpec } from './pod-spec.ts';

export interface Node extends AsyncDisposable {
	readonly daemon: TestDaemon;
	/** In the registry, and not yet pulled. */
	readonly image: string;
	readonly folders: NodeFolders;
	/** A kubelet that remembers nothing. */
	startKubelet(): Kubelet;
}

export async function setUpNode(): Promise<Node> {
	const stage = await setStage();
	const { daemon, image } = stage;
	const folders = { pods: join(daemon.folder, 'pods'), logs: join(daemon.folder, 'pod-logs') };
	for (const folder of Object.values(folders)) mkdirSync(folder);
	return {
		daemon,
		image,
		folders,
		startKubelet: () => new Kubelet(daemon.cri, folders, image),
		[Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
	};
}

let pods = 0;

export function podOf(
	containers: readonly ContainerSpec[],
	more: Omit<Partial<PodSpec>, 'containers'> = {},
): PodSpec {
	pods += 1;
	return {
		name: `pod-${pods}`,
		uid: `00000000-0000-4000-8000-${String(pods).padStart(12, '0')}`,
		containers,
		...more,
	};
}

/** Waits for SIGTERM, says so and ends with 0. */
export const OBEYS = 'trap "echo told to end; exit 0" TERM; while :; do sleep 1 & wait; done';
