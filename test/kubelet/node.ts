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

/**
 * A container that waits for SIGTERM, says so and ends with 0; `first` is done before. It is ready when it would hear the
 * signal: until then the kernel lets the first process of a namespace ignore it.
 */
export function obeys(first = 'true'): Pick<ContainerSpec, 'script' | 'ready'> {
	const wait = 'trap "echo told to end; exit 0" TERM; echo > /tmp/ready; while :; do sleep 1 & wait; done';
	return { script: `${first}; ${wait}`, ready: READY };
}

export const READY = 'test -e /tmp/ready';
