/** A daemon whose folders lie on small disks, with an image, a pod and what the tests ask of them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { StatusError } from '#base/errors.ts';
import type { ContainerConfigInit } from '#cri-api';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { busyboxEntries, type Registry, startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';
import { type Kind, SmallDisk } from './small-disk.ts';

/** Room for a few pods and images. */
const MEBIBYTES = { state: 8, root: 32 } as const;
const INODES = 3000;

export class Stage implements AsyncDisposable {
	readonly daemon: TestDaemon;
	readonly registry: Registry;
	/** A busybox. */
	readonly image: string;
	/** The small file systems of STATE and ROOT. */
	readonly disks: { readonly state: SmallDisk; readonly root: SmallDisk };
	#names = 0;

	private constructor(daemon: TestDaemon, registry: Registry, image: string, disks: Stage['disks']) {
		this.daemon = daemon;
		this.registry = registry;
		this.image = image;
		this.disks = disks;
	}

	/** `kind` is that of the root's disk; the state's is always a tmpfs. */
	static async set(kind: Kind = 'tmpfs'): Promise<Stage> {
		await using undo = new AsyncDisposableStack();
		const state = undo.use(new SmallDisk('tmpfs', MEBIBYTES.state, INODES));
		const root = undo.use(new SmallDisk(kind, MEBIBYTES.root, INODES));
		const registry = undo.use(await startRegistry());
		const layers = [{ entries: busyboxEntries() }];
		const { reference } = await registry.pushImage({ name: 'busybox', layers });
		const daemon = undo.use(
			await startTestDaemon({
				config: 'network.provider = "builtin"\n',
				args: ['--state', state.path, '--root', root.path],
			}),
		);
		await daemon.cri.PullImage({ image: { image: reference } });
		undo.move();
		return new Stage(daemon, registry, reference, { state, root });
	}

	get cri(): TestDaemon['cri'] {
		return this.daemon.cri;
	}

	/** Pushes an image of its own that takes this many bytes of disk, and answers its reference. */
	async push(bytes: number): Promise<string> {
		const entries = [{ name: 'much', data: randomBytes(bytes) }];
		return (await this.registry.pushImage({ name: this.#name('image'), layers: [{ entries }] })).reference;
	}

	async runPod(
		name = this.#name('pod'),
		log_directory = join(this.daemon.folder, 'logs', name),
	): Promise<string> {
		const metadata = { name, namespace: 'pressure', uid: name, attempt: 0 };
		return (await this.cri.RunPodSandbox({ config: { metadata, log_directory } })).pod_sandbox_id;
	}

	async create(pod_sandbox_id: string, config: ContainerConfigInit = {}): Promise<string> {
		const all: ContainerConfigInit = {
			metadata: { name: this.#name('container'), attempt: 0 },
			image: { image: this.image },
			command: ['sleep', '1000'],
			linux: { security_context: { namespace_options: { pid: 'CONTAINER' } } },
			...config,
		};
		return (await this.cri.CreateContainer({ pod_sandbox_id, config: all })).container_id;
	}

	async run(pod: string, config: ContainerConfigInit = {}): Promise<string> {
		const container_id = await this.create(pod, config);
		await this.cri.StartContainer({ container_id });
		return container_id;
	}

	/** What a shell command in a container prints. */
	async sh(container_id: string, script: string): Promise<string> {
		const cmd = ['sh', '-c', script];
		const { stdout, stderr, exit_code } = await this.cri.ExecSync({ container_id, cmd, timeout: 20 });
		assert.equal(exit_code, 0, Buffer.from(stderr).toString());
		return Buffer.from(stdout).toString().trimEnd();
	}

	async stateOf(container_id: string): Promise<string> {
		const { status } = await this.cri.ContainerStatus({ container_id });
		return `${status?.state} ${status?.exit_code} ${status?.reason}`;
	}

	/** Every object, by kind and id, and every folder that one has. */
	async everything(): Promise<string[]> {
		const { state, root } = this.disks;
		const folders = ['sandboxes', 'containers', 'shims'].map((name) => join(state.path, name));
		folders.push(
			...['sandboxes', 'containers', 'images/images', 'images/snapshots', 'images/leases'].map((name) =>
				join(root.path, name),
			),
		);
		const { items } = await this.cri.ListPodSandbox();
		const { containers } = await this.cri.ListContainers();
		const { images } = await this.cri.ListImages();
		return [
			...items.map(({ id, state }) => `sandbox ${id} ${state}`),
			...containers.map(({ id, state }) => `container ${id} ${state}`),
			...images.map(({ id }) => `image ${id}`),
			...readdirSync(join(root.path, 'images/content'), { recursive: true }).map(
				(name) => `image document ${name}`,
			),
			...folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name))),
		].toSorted();
	}

	/** Waits until there is this and nothing else: some things are taken back behind the caller's back. */
	async settles(wanted: readonly string[]): Promise<void> {
		let found: string[] = [];
		await until('nothing is left', async () => {
			found = await this.everything();
			return found.length === wanted.length;
		}).catch(() => {});
		assert.deepEqual(found, wanted);
	}

	#name(kind: string): string {
		this.#names += 1;
		return `${kind}-${this.#names}`;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await using undo = new AsyncDisposableStack();
		undo.use(this.disks.root);
		undo.use(this.disks.state);
		undo.use(this.registry);
		undo.use(this.daemon);
		for (const disk of Object.values(this.disks)) disk.free();
	}
}

/** Fails unless the call fails with RESOURCE_EXHAUSTED and a message that names all of these. */
export async function exhausted(call: Promise<unknown>, ...named: readonly string[]): Promise<void> {
	await assert.rejects(call, (error) => {
		assert.ok(error instanceof StatusError);
		assert.equal(error.condition, 'RESOURCE_EXHAUSTED', error.message);
		for (const part of named)
			assert.ok(error.message.includes(part), `"${error.message}" does not name ${part}`);
		return true;
	});
}
