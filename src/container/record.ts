import { basename } from 'node:path';
import { dataLoss } from '#base/errors.ts';
import type { ContainerConfig, LinuxContainerResourcesInit } from '#cri-api';
import { processShape, stageShape } from '../sandbox/record.ts';
import {
	bigInteger,
	flag,
	integer,
	list,
	map,
	object,
	objectWith,
	optional,
	type Shape,
	text,
} from '../store/shape.ts';
import type { Container, ContainerMetadata, ContainerStatus } from './types.ts';

/** What recovery itself relies on; the rest of the message goes back to the client as it came. */
const configShape = objectWith<ContainerConfig>({
	metadata: objectWith<NonNullable<ContainerConfig['metadata']>>({ name: text, attempt: integer }),
	labels: map(text),
	annotations: map(text),
	tty: flag,
});

/** The strict decoder of a container's record. */
export const containerShape: Shape<Container> = object<Container>({
	metadata: object<ContainerMetadata>({
		id: text,
		sandboxId: text,
		config: configShape,
		image: object<ContainerMetadata['image']>({ id: text, userReference: text, ref: text }),
		imageVolumes: optional(
			list(
				object<NonNullable<ContainerMetadata['imageVolumes']>[number]>({
					index: integer,
					imageId: text,
				}),
			),
		),
		createdAtNs: bigInteger,
		folder: text,
		logPath: text,
		cgroupsPath: text,
		stopSignal: text,
		user: object<ContainerMetadata['user']>({
			uid: integer,
			gid: integer,
			supplementalGroups: list(integer),
		}),
	}),
	status: object<ContainerStatus>({
		process: optional(processShape),
		startedAtNs: optional(bigInteger),
		finishedAtNs: optional(bigInteger),
		exitCode: integer,
		reason: text,
		message: text,
		unknown: flag,
		resources: objectWith<LinuxContainerResourcesInit>({}),
		timeline: list(stageShape),
		removing: flag,
		startUntold: optional(flag),
	}),
});

/** What is damaged must not lead a teardown, or a kill, to another object's things. */
export function checkContainer({ metadata }: Container, id: string): void {
	if (metadata.id !== id || basename(metadata.folder) !== id)
		throw dataLoss(`it tells of container ${metadata.id} in ${metadata.folder}`);
	if (!metadata.cgroupsPath.endsWith(`-${id}`)) throw dataLoss(`its cgroup is ${metadata.cgroupsPath}`);
}
