import { join } from 'node:path';
import type { ContainerConfig, PodSandboxConfig } from '#cri-api';
import { readSpec } from '#runtime';
import type { Container } from '../container/types.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { UnreadableRecord } from './records.ts';

const SANDBOX_CONFIG: PodSandboxConfig = {
	metadata: null,
	hostname: '',
	log_directory: '',
	dns_config: null,
	port_mappings: [],
	labels: {},
	annotations: {},
	linux: null,
	windows: null,
};

const CONTAINER_CONFIG: ContainerConfig = {
	metadata: null,
	image: null,
	command: [],
	args: [],
	working_dir: '',
	envs: [],
	mounts: [],
	devices: [],
	labels: {},
	annotations: {},
	log_path: '',
	stdin: false,
	stdin_once: false,
	tty: false,
	linux: null,
	windows: null,
	CDI_devices: [],
	stop_signal: 'SIGNAL_RUNTIME_DEFAULT',
};

/** A sandbox whose record is lost: what its bundle still tells, so that it can be seen and removed. */
export async function unknownSandbox({ id, why }: UnreadableRecord, folder: string): Promise<Sandbox> {
	const annotations = await annotationsOf(folder);
	const named = (key: string): string => annotations[`io.kubernetes.cri.sandbox-${key}`] ?? '';
	return {
		metadata: {
			id,
			config: {
				...SANDBOX_CONFIG,
				metadata: {
					name: named('name') || 'unknown',
					namespace: named('namespace'),
					uid: named('uid'),
					attempt: 0,
				},
			},
			runtimeHandler: '',
			cgroupParent: '',
			madeCgroups: [],
			createdAtNs: 0n,
			folder,
			hostNetwork: false,
		},
		status: {
			state: 'unknown',
			shim: undefined,
			pause: undefined,
			network: undefined,
			reason: 'RecordUnreadable',
			message: why,
			networkReleased: false,
			timeline: [],
		},
	};
}

/** A container whose record is lost. */
export async function unknownContainer({ id, why }: UnreadableRecord, folder: string): Promise<Container> {
	const annotations = await annotationsOf(folder);
	const image = annotations['io.kubernetes.cri.image-name'] ?? '';
	return {
		metadata: {
			id,
			sandboxId: annotations['io.kubernetes.cri.sandbox-id'] ?? '',
			config: {
				...CONTAINER_CONFIG,
				metadata: { name: annotations['io.kubernetes.cri.container-name'] ?? 'unknown', attempt: 0 },
			},
			image: { id: '', userReference: image, ref: '' },
			createdAtNs: 0n,
			folder,
			logPath: '',
			cgroupsPath: '',
			stopSignal: 'SIGTERM',
			user: { uid: 0, gid: 0, supplementalGroups: [] },
		},
		status: {
			process: undefined,
			startedAtNs: undefined,
			finishedAtNs: undefined,
			exitCode: 0,
			reason: 'RecordUnreadable',
			message: why,
			unknown: true,
			resources: {},
			timeline: [],
			removing: false,
		},
	};
}

async function annotationsOf(folder: string): Promise<Readonly<Record<string, string>>> {
	const spec = await readSpec(join(folder, 'bundle')).catch(() => undefined);
	return spec?.annotations ?? {};
}
