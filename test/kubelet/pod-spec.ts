/** Pods as a kubelet knows them, and the CRI messages that it makes of them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerConfigInit, IDMappingInit, MountInit, PodSandboxConfigInit } from '#cri-api';

export interface ContainerSpec {
	readonly name: string;
	/** For `sh -c`. */
	readonly script: string;
	/** Runs to its end before the next one; `sidecar`: goes on beside the next ones. Default: a main container. */
	readonly kind?: 'init' | 'sidecar' | 'main';
	/** Run in the container once it is started, before the next container is. */
	readonly postStart?: string;
	/** Probe, run again and again: the container is ready, and the next one's turn, when it ends with 0. */
	readonly ready?: string;
	readonly memoryBytes?: number;
	readonly mounts?: readonly MountInit[];
}

export interface PodSpec {
	readonly name: string;
	readonly uid: string;
	/** Init containers and sidecars first, in their order. */
	readonly containers: readonly ContainerSpec[];
	readonly graceSeconds?: number;
	/** With hostUsers false: first user id of the node that the pod's ids are mapped to; 65536 follow. */
	readonly usersFrom?: number;
}

/** The kubelet's folders of pods and of their logs. */
export interface NodeFolders {
	readonly pods: string;
	readonly logs: string;
}

export const POD_UID = 'io.kubernetes.pod.uid';
export const CONTAINER_NAME = 'io.kubernetes.container.name';
const IDS = 65536;

const podLabels = (pod: PodSpec) => ({
	'io.kubernetes.pod.name': pod.name,
	'io.kubernetes.pod.namespace': 'default',
	[POD_UID]: pod.uid,
});

function idMappings({ usersFrom }: PodSpec): IDMappingInit[] {
	return usersFrom === undefined ? [] : [{ host_id: usersFrom, container_id: 0, length: IDS }];
}

const namespaceOptions = (pod: PodSpec) => ({
	pid: 'CONTAINER' as const,
	...(pod.usersFrom === undefined
		? {}
		: { userns_options: { mode: 'POD' as const, uids: idMappings(pod), gids: idMappings(pod) } }),
});

export function sandboxConfig(pod: PodSpec, folders: NodeFolders, attempt: number): PodSandboxConfigInit {
	return {
		metadata: { name: pod.name, namespace: 'default', uid: pod.uid, attempt },
		hostname: pod.name,
		log_directory: join(folders.logs, `default_${pod.name}_${pod.uid}`),
		dns_config: { servers: ['10.0.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
		labels: podLabels(pod),
		annotations: { 'kubernetes.io/config.source': 'api' },
		linux: {
			security_context: {
				namespace_options: namespaceOptions(pod),
				seccomp: { profile_type: 'RuntimeDefault' },
			},
		},
	};
}

/** `imageId`: as PullImage answered. Makes the files that the kubelet mounts, and the folder of the log. */
export function containerConfig(
	pod: PodSpec,
	spec: ContainerSpec,
	folders: NodeFolders,
	imageId: string,
	attempt: number,
): ContainerConfigInit {
	mkdirSync(join(folders.logs, `default_${pod.name}_${pod.uid}`, spec.name), { recursive: true });
	return {
		metadata: { name: spec.name, attempt },
		image: { image: imageId },
		command: ['sh', '-c', spec.script],
		envs: [{ key: 'KUBERNETES_SERVICE_HOST', value: Buffer.from('10.0.0.1') }],
		labels: { ...podLabels(pod), [CONTAINER_NAME]: spec.name },
		annotations: {
			'io.kubernetes.container.restartCount': String(attempt),
			'io.kubernetes.container.terminationMessagePath': '/dev/termination-log',
		},
		log_path: `${spec.name}/${attempt}.log`,
		mounts: [...kubeletMounts(pod, spec, folders, attempt), ...(spec.mounts ?? [])],
		linux: {
			resources: {
				cpu_period: 100_000,
				cpu_shares: 102,
				oom_score_adj: 900,
				...(spec.memoryBytes === undefined ? {} : { memory_limit_in_bytes: spec.memoryBytes }),
			},
			security_context: {
				namespace_options: namespaceOptions(pod),
				seccomp: { profile_type: 'RuntimeDefault' },
				masked_paths: ['/proc/kcore', '/proc/keys'],
				readonly_paths: ['/proc/sys', '/proc/bus'],
			},
		},
	};
}

/** A folder of the node that all containers of the pod have at `/volume`; files in it belong to the ids seen inside. */
export function volumeOf(pod: PodSpec, folders: NodeFolders): string {
	return join(folders.pods, pod.uid, 'volume');
}

export function terminationLog(
	pod: PodSpec,
	spec: ContainerSpec,
	folders: NodeFolders,
	attempt: number,
): string {
	return join(folders.pods, pod.uid, `termination-${spec.name}-${attempt}`);
}

function kubeletMounts(
	pod: PodSpec,
	spec: ContainerSpec,
	folders: NodeFolders,
	attempt: number,
): MountInit[] {
	const volume = volumeOf(pod, folders);
	mkdirSync(volume, { recursive: true });
	const hosts = join(folders.pods, pod.uid, 'etc-hosts');
	writeFileSync(hosts, `# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n10.1.2.3\t${pod.name}\n`);
	const termination = terminationLog(pod, spec, folders, attempt);
	writeFileSync(termination, '', { mode: 0o666 });
	const maps = { uidMappings: idMappings(pod), gidMappings: idMappings(pod) };
	return [
		{ container_path: '/volume', host_path: volume, ...maps },
		{ container_path: '/etc/hosts', host_path: hosts, ...maps },
		{ container_path: '/dev/termination-log', host_path: termination, ...maps },
	];
}
