/** One pod's life through a CRI endpoint, each call timed. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeCgroup, removeCgroup } from './cgroups.ts';
import type { Endpoint } from './endpoint.ts';
import { until } from './wait.ts';

/** Milliseconds by the call's name. */
export type Timings = Map<string, number>;
type Time = <T>(name: string, call: () => Promise<T>) => Promise<T>;

/** The part that has the figures of single calls. */
export const CALLS = 'calls, one client';
export const READY = 'pod ready';
const SECCOMP = { profile_type: 'RuntimeDefault' } as const;
const PAUSE = ['sleep', '100000'];
const END_TIMEOUT_MS = 10_000;

export interface LivingPod {
	readonly pod: string;
	readonly container: string;
	readonly logFolder: string;
	/** Of the pod alone. The kubelet makes it and removes it. */
	readonly cgroup: string;
}

/** RunPodSandbox, CreateContainer and StartContainer; their sum is `pod ready`. */
export async function startPod(
	endpoint: Endpoint,
	image: string,
	time: Time = untimed,
	command: readonly string[] = PAUSE,
): Promise<LivingPod> {
	const uid = randomUUID();
	const logFolder = join(endpoint.logFolder, uid);
	const cgroup = join(endpoint.cgroupParent, `pod${uid}`);
	const config = {
		metadata: { name: `bench-${uid.slice(0, 8)}`, namespace: 'bench', uid, attempt: 0 },
		hostname: 'bench',
		log_directory: logFolder,
		linux: { cgroup_parent: cgroup, security_context: { seccomp: SECCOMP } },
	};
	const { cri } = endpoint;
	makeCgroup(cgroup);
	return time(READY, async () => {
		const run = await time('RunPodSandbox', () => cri.RunPodSandbox({ config }));
		const pod_sandbox_id = run.pod_sandbox_id;
		const container = {
			metadata: { name: 'main', attempt: 0 },
			image: { image },
			command,
			log_path: 'main.log',
			linux: { security_context: { seccomp: SECCOMP } },
		};
		const container_id = await time('CreateContainer + StartContainer', async () => {
			const created = await time('CreateContainer', () =>
				cri.CreateContainer({ pod_sandbox_id, config: container, sandbox_config: config }),
			);
			await time('StartContainer', () => cri.StartContainer({ container_id: created.container_id }));
			return created.container_id;
		});
		return { pod: pod_sandbox_id, container: container_id, logFolder, cgroup };
	});
}

/** Exec and both status calls, once each. */
export async function lookInto(endpoint: Endpoint, living: LivingPod, time: Time = untimed): Promise<void> {
	const { cri } = endpoint;
	const { container: container_id } = living;
	const exec = await time('ExecSync true', () => cri.ExecSync({ container_id, cmd: ['true'], timeout: 10n }));
	if (exec.exit_code !== 0) throw new Error(`${endpoint.name}: exec of true ended with ${exec.exit_code}`);
	await time('ContainerStatus', () => cri.ContainerStatus({ container_id }));
	await time('ContainerStats', () => cri.ContainerStats({ container_id }));
}

/** Stops and removes the container, then the pod. */
export async function endPod(endpoint: Endpoint, living: LivingPod, time: Time = untimed): Promise<void> {
	const { cri } = endpoint;
	const { container: container_id, pod: pod_sandbox_id } = living;
	await time('Stop + RemoveContainer', async () => {
		await time('StopContainer(0)', () => stopContainer(endpoint, container_id));
		await time('RemoveContainer', () => removeContainer(endpoint, container_id));
	});
	await time('Stop + RemovePodSandbox', async () => {
		await time('StopPodSandbox', () => cri.StopPodSandbox({ pod_sandbox_id }));
		await time('RemovePodSandbox', () => cri.RemovePodSandbox({ pod_sandbox_id }));
	});
	removeCgroup(living.cgroup);
	rmSync(living.logFolder, { recursive: true, force: true });
}

const stopContainer = (endpoint: Endpoint, container_id: string): Promise<void> =>
	insist(endpoint, `the end of container ${container_id}`, /ttrpc: closed/, async () => {
		await endpoint.cri.StopContainer({ container_id, timeout: 0n });
	});

function removeContainer(endpoint: Endpoint, container_id: string): Promise<void> {
	let isFirst = true;
	return insist(endpoint, `the removal of container ${container_id}`, /still running/, async () => {
		if (!isFirst) await stopContainer(endpoint, container_id);
		isFirst = false;
		await endpoint.cri.RemoveContainer({ container_id });
	});
}

/** A runtime that does not know yet what has ended, and says so by `notYet`, is asked again, in its own time. */
async function insist(
	{ stopsLate }: Endpoint,
	what: string,
	notYet: RegExp,
	call: () => Promise<void>,
): Promise<void> {
	let refusal = '';
	const isDone = async (): Promise<boolean> => {
		try {
			await call();
			return true;
		} catch (error) {
			refusal = (error as Error).message;
			if (!stopsLate || !notYet.test(refusal)) throw error;
			return false;
		}
	};
	await until(() => `${what} (${refusal})`, isDone, END_TIMEOUT_MS);
}

/** A whole life. */
export async function livePod(endpoint: Endpoint, image: string): Promise<Timings> {
	const timings: Timings = new Map();
	const time: Time = async (name, call) => {
		const start = performance.now();
		const answer = await call();
		timings.set(name, performance.now() - start);
		return answer;
	};
	const living = await startPod(endpoint, image, time);
	await lookInto(endpoint, living, time);
	await endPod(endpoint, living, time);
	return timings;
}

function untimed<T>(_name: string, call: () => Promise<T>): Promise<T> {
	return call();
}
