/** What both walks start from: a private daemon, a registry on loopback, one image in it, and the pod's requests. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';

export interface Stage extends AsyncDisposable {
	readonly daemon: TestDaemon;
	/** `127.0.0.1:PORT/walk/busybox`. */
	readonly repository: string;
	readonly image: string;
	readonly pod: typeof POD & { readonly log_directory: string };
	/** A container that says hello on both streams and then waits for SIGTERM. */
	container(
		name: string,
	): typeof CONTAINER & { readonly metadata: { name: string }; readonly image: { image: string } };
}

const POD = {
	metadata: { name: 'walk', namespace: 'walks', uid: 'walk-uid', attempt: 0 },
	hostname: 'walk-host',
	labels: { app: 'walk' },
	annotations: { note: 'kept' },
	linux: {},
};
const SCRIPT = 'trap "exit 0" TERM; echo "hello $WHO"; echo trouble >&2; while :; do sleep 1 & wait; done';
const CONTAINER = {
	metadata: { name: '', attempt: 0 },
	image: { image: '' },
	command: ['sh', '-c', SCRIPT],
	envs: [{ key: 'WHO', value: 'walker' }],
	labels: { part: 'main' },
	log_path: 'main.log',
	linux: { resources: { memory_limit_in_bytes: 64 * 1024 * 1024, cpu_shares: 512 } },
};

/** `config`: text of the daemon's gantry.toml. */
export async function setStage(config = ''): Promise<Stage> {
	const registry = await startRegistry();
	const { reference: image } = await registry.pushImage({
		name: 'walk/busybox',
		tag: '1',
		layers: [{ entries: busyboxEntries() }],
		config: { Cmd: ['sh'], Env: ['PATH=/bin'] },
	});
	const daemon = await startTestDaemon({ config });
	const log_directory = join(daemon.folder, 'logs');
	mkdirSync(log_directory);
	return {
		daemon,
		repository: `${registry.host}/walk/busybox`,
		image,
		pod: { ...POD, log_directory },
		container: (name) => ({ ...CONTAINER, metadata: { name, attempt: 0 }, image: { image } }),
		async [Symbol.asyncDispose]() {
			await daemon[Symbol.asyncDispose]();
			await registry[Symbol.asyncDispose]();
		},
	};
}
