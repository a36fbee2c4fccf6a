import { basename } from 'node:path';
import { dataLoss } from '#base/errors.ts';
import type { LinuxContainerResourcesInit, PodSandboxConfig } from '#cri-api';
import type { ProcessIdentity } from '#runtime';
import type { NetworkResult } from '../network/types.ts';
import {
	bigInteger,
	flag,
	integer,
	list,
	map,
	object,
	objectWith,
	oneOf,
	opaque,
	optional,
	type Shape,
	text,
} from '../store/shape.ts';
import type { Sandbox, SandboxMetadata, SandboxStatus, Stage } from './types.ts';

export const processShape: Shape<ProcessIdentity> = object<ProcessIdentity>({
	pid: integer,
	startTime: bigInteger,
});
export const stageShape: Shape<Stage> = object<Stage>({ name: text, startedUs: integer, elapsedUs: integer });

const dnsShape = object<NonNullable<NetworkResult['dns']>>({
	servers: list(text),
	searches: list(text),
	options: list(text),
});

/** What recovery itself relies on; the rest of the message goes back to the client as it came. */
const configShape = objectWith<PodSandboxConfig>({
	metadata: objectWith<NonNullable<PodSandboxConfig['metadata']>>({
		name: text,
		namespace: text,
		uid: text,
		attempt: integer,
	}),
	hostname: text,
	log_directory: text,
	labels: map(text),
	annotations: map(text),
});

/** The strict decoder of a sandbox's record. */
export const sandboxShape: Shape<Sandbox> = object<Sandbox>({
	metadata: object<SandboxMetadata>({
		id: text,
		config: configShape,
		runtimeHandler: text,
		cgroupParent: text,
		madeCgroups: list(text),
		createdAtNs: bigInteger,
		folder: text,
		hostNetwork: flag,
	}),
	status: object<SandboxStatus>({
		state: oneOf('ready', 'notready', 'unknown'),
		shim: optional(processShape),
		pause: optional(processShape),
		network: optional(
			objectWith<NetworkResult>({
				provider: oneOf('builtin', 'cni'),
				ips: list(text),
				interfaceName: text,
				dns: optional(dnsShape),
				data: opaque,
			}),
		),
		reason: text,
		message: text,
		networkReleased: flag,
		timeline: list(stageShape),
		overhead: optional(objectWith<LinuxContainerResourcesInit>({})),
		resources: optional(objectWith<LinuxContainerResourcesInit>({})),
	}),
});

/** What is damaged must not lead a teardown to another object's things. */
export function checkSandbox({ metadata }: Sandbox, id: string): void {
	if (metadata.id !== id || basename(metadata.folder) !== id)
		throw dataLoss(`it tells of sandbox ${metadata.id} in ${metadata.folder}`);
}
