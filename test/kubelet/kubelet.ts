/**
 * What a kubelet does with its pods, by what it sees in the lists and nothing that it remembers: a sync brings a pod one
 * step nearer to what its spec says, so that a kubelet that starts anew goes on where the last one was.
 */
import assert from 'node:assert/strict';
import type { StatusError } from '#base/errors.ts';
import type { Container, ContainerStatus, PodSandbox } from '#cri-api';
import type { TestCri } from '../support/cri-client.ts';
import { Pleg } from './pleg.ts';
import {
	CONTAINER_NAME,
	type ContainerSpec,
	containerConfig,
	type NodeFolders,
	POD_UID,
	type PodSpec,
	sandboxConfig,
} from './pod-spec.ts';

const MOST_SYNCS = 2000;

interface Sandbox {
	readonly id: string;
	readonly attempt: number;
}

export class Kubelet implements AsyncDisposable {
	readonly cri: TestCri;
	readonly folders: NodeFolders;
	readonly pleg: Pleg;
	readonly #image: string;

	/** `image`: what all containers are made of. */
	constructor(cri: TestCri, folders: NodeFolders, image: string) {
		this.cri = cri;
		this.folders = folders;
		this.#image = image;
		this.pleg = new Pleg(cri);
	}

	/** Ends the kubelet; its pods live on. Fails when its lists ever contradicted each other. */
	async [Symbol.asyncDispose](): Promise<void> {
		await this.pleg[Symbol.asyncDispose]();
		assert.deepEqual(this.pleg.problems, []);
	}

	/** Syncs a pod after every relist until all its sidecars and main containers are ready. Answers the sandbox's id. */
	async bringUp(pod: PodSpec): Promise<string> {
		for (let syncs = 0; syncs < MOST_SYNCS; syncs++) {
			const sandbox = await this.#sync(pod);
			if (sandbox !== undefined) return sandbox;
			await this.pleg.relisted();
		}
		return assert.fail(`pod ${pod.name} never came up`);
	}

	/** Stops all containers at once, each with the pod's grace, then sidecars from last to first, then the sandbox. */
	async kill(pod: PodSpec): Promise<void> {
		const alive = (await this.containersOf(pod)).filter(({ state }) => state !== 'CONTAINER_EXITED');
		const timeout = pod.graceSeconds ?? 30;
		const stop = ({ id }: Container) => this.cri.StopContainer({ container_id: id, timeout });
		const sidecars = pod.containers.filter(({ kind }) => kind === 'sidecar').map(({ name }) => name);
		const sidecarOf = ({ labels }: Container) => sidecars.indexOf(labels[CONTAINER_NAME] ?? '');
		await Promise.all(alive.filter((one) => sidecarOf(one) === -1).map(stop));
		const beside = alive.filter((one) => sidecarOf(one) !== -1);
		for (const sidecar of beside.toSorted((a, b) => sidecarOf(b) - sidecarOf(a))) await stop(sidecar);
		const sandboxes = await this.#sandboxesOf(pod);
		await Promise.all(sandboxes.map(({ id }) => this.cri.StopPodSandbox({ pod_sandbox_id: id })));
	}

	/** What is collected of a dead pod: its containers, then its sandboxes, each stopped once more. */
	async remove(pod: PodSpec): Promise<void> {
		for (const { id } of await this.containersOf(pod)) await this.cri.RemoveContainer({ container_id: id });
		for (const { id } of await this.#sandboxesOf(pod)) {
			await this.cri.StopPodSandbox({ pod_sandbox_id: id });
			await this.cri.RemovePodSandbox({ pod_sandbox_id: id });
		}
	}

	/** All dead containers of a pod but the newest of each name. */
	async collectContainers(pod: PodSpec): Promise<void> {
		const newest = new Set(pod.containers.map(({ name }) => name));
		for (const { id, state, labels } of await this.containersOf(pod)) {
			if (newest.delete(labels[CONTAINER_NAME] ?? '')) continue;
			if (state === 'CONTAINER_EXITED') await this.cri.RemoveContainer({ container_id: id });
		}
	}

	/** Removes the images that no container is made of. Answers the ids of those that are kept, being used otherwise. */
	async collectImages(): Promise<string[]> {
		const [{ images }, { containers }] = await Promise.all([
			this.cri.ListImages(),
			this.cri.ListContainers(),
		]);
		const used = new Set(containers.map(({ image_id }) => image_id));
		const kept: string[] = [];
		for (const { id } of images.filter((image) => !used.has(image.id) && !image.pinned))
			await this.cri.RemoveImage({ image: { image: id } }).catch((error: StatusError) => {
				assert.equal(error.condition, 'FAILED_PRECONDITION', error.message);
				kept.push(id);
			});
		return kept;
	}

	/** Newest first. */
	async containersOf(pod: PodSpec): Promise<Container[]> {
		const { containers } = await this.cri.ListContainers({
			filter: { label_selector: { [POD_UID]: pod.uid } },
		});
		return containers.toSorted((a, b) => attemptOf(b) - attemptOf(a));
	}

	/** Of the newest container of that name. */
	async statusOf(pod: PodSpec, name: string): Promise<ContainerStatus> {
		const found = await this.#newest(pod, name);
		const { status } = await this.cri.ContainerStatus({ container_id: found?.id ?? '' });
		return status ?? assert.fail(`no status of ${name}`);
	}

	async #newest(pod: PodSpec, name: string): Promise<Container | undefined> {
		return (await this.containersOf(pod)).find(({ labels }) => labels[CONTAINER_NAME] === name);
	}

	/** Newest first. */
	async #sandboxesOf(pod: PodSpec) {
		const { items } = await this.cri.ListPodSandbox({ filter: { label_selector: { [POD_UID]: pod.uid } } });
		return items.toSorted((a, b) => attemptOf(b) - attemptOf(a));
	}

	/** One step; answers the sandbox's id when there is no more to do. */
	async #sync(pod: PodSpec): Promise<string | undefined> {
		const sandbox = await this.#sandboxFor(pod);
		const start = (spec: ContainerSpec, attempt: number) => this.#start(pod, sandbox, spec, attempt);
		for (const spec of pod.containers) {
			const newest = await this.#newest(pod, spec.name);
			if (newest?.state === 'CONTAINER_EXITED' && spec.kind === 'init') {
				const { exit_code } = await this.statusOf(pod, spec.name);
				if (exit_code === 0) continue;
			}
			if (newest === undefined || newest.state === 'CONTAINER_EXITED') {
				await start(spec, newest === undefined ? 0 : attemptOf(newest) + 1);
				if (spec.kind === 'init') return undefined;
			} else if (spec.kind === 'init' || !(await this.#isReady(newest, spec))) return undefined;
		}
		return sandbox.id;
	}

	async #isReady({ id, state }: Container, { ready }: ContainerSpec): Promise<boolean> {
		if (state !== 'CONTAINER_RUNNING') return false;
		if (ready === undefined) return true;
		const probe = { container_id: id, cmd: ['sh', '-c', ready], timeout: 10 };
		return (await this.cri.ExecSync(probe)).exit_code === 0;
	}

	/** The one that is ready; else a new one, with the attempt counted up. */
	async #sandboxFor(pod: PodSpec): Promise<Sandbox> {
		const [newest] = await this.#sandboxesOf(pod);
		if (newest?.state === 'SANDBOX_READY') return { id: newest.id, attempt: attemptOf(newest) };
		const attempt = newest === undefined ? 0 : attemptOf(newest) + 1;
		const { pod_sandbox_id } = await this.cri.RunPodSandbox({
			config: sandboxConfig(pod, this.folders, attempt),
		});
		const { status } = await this.cri.PodSandboxStatus({ pod_sandbox_id });
		assert.match(status?.network?.ip ?? '', /^[0-9a-f.:]+$/, 'a new pod has an address');
		return { id: pod_sandbox_id, attempt };
	}

	async #start(pod: PodSpec, sandbox: Sandbox, spec: ContainerSpec, attempt: number): Promise<void> {
		const imageId = await this.pullIfMissing();
		const { container_id } = await this.cri.CreateContainer({
			pod_sandbox_id: sandbox.id,
			config: containerConfig(pod, spec, this.folders, imageId, attempt),
			sandbox_config: sandboxConfig(pod, this.folders, sandbox.attempt),
		});
		await this.cri.StartContainer({ container_id });
		if (spec.postStart === undefined) return;
		const hook = await this.cri.ExecSync({ container_id, cmd: ['sh', '-c', spec.postStart] });
		assert.equal(hook.exit_code, 0, `the post-start hook of ${spec.name}`);
	}

	/** Answers the image's id. */
	async pullIfMissing(image = this.#image): Promise<string> {
		const { image: found } = await this.cri.ImageStatus({ image: { image } });
		if (found !== null && found !== undefined) return found.id;
		return (await this.cri.PullImage({ image: { image } })).image_ref;
	}
}

function attemptOf({ metadata }: Pick<Container | PodSandbox, 'metadata'>): number {
	return metadata?.attempt ?? 0;
}
