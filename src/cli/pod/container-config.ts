import type { V1Container, V1Pod } from '@kubernetes/client-node';
import type { ContainerConfigInit, MountInit, Signal } from '#cri-api';
import { expand, type PodFacts, toKeyValues, variablesOf } from './env.ts';
import { ANNOTATIONS, LABELS } from './labels.ts';
import { resourcesOf } from './resources.ts';
import { containerSecurity } from './security.ts';

const DEFAULT_GRACE_SECONDS = 30;

export type ContainerKind = 'init' | 'sidecar' | 'main';

/** A container of the manifest, with its place in it. */
export interface PodContainer {
	readonly container: V1Container;
	readonly kind: ContainerKind;
	/** `spec.containers[0]`. */
	readonly path: string;
}

/** All containers in the order in which they are started. */
export function containersOf(pod: V1Pod): readonly PodContainer[] {
	const before = (pod.spec?.initContainers ?? []).map((container, index): PodContainer => {
		const kind = container.restartPolicy === 'Always' ? 'sidecar' : 'init';
		return { container, kind, path: `spec.initContainers[${index}]` };
	});
	const main = (pod.spec?.containers ?? []).map(
		(container, index): PodContainer => ({ container, kind: 'main', path: `spec.containers[${index}]` }),
	);
	return [...before, ...main];
}

export interface ContainerInputs {
	readonly facts: PodFacts;
	/** What PullImage or ImageStatus gave for the image. */
	readonly imageRef: string;
	readonly mounts: readonly MountInit[];
	readonly manifestFolder: string;
}

/** The CreateContainer request that a kubelet would send. */
export function containerConfig(
	{ container, kind, path }: PodContainer,
	inputs: ContainerInputs,
): ContainerConfigInit {
	const { facts, imageRef, mounts, manifestFolder } = inputs;
	const { pod, uid } = facts;
	const variables = variablesOf(container, facts, path);
	const expanded = (words: readonly string[] | undefined) =>
		(words ?? []).map((word) => expand(String(word), variables));
	return {
		metadata: { name: container.name, attempt: 0 },
		image: { image: imageRef, user_specified_image: container.image ?? '' },
		command: expanded(container.command),
		args: expanded(container.args),
		working_dir: container.workingDir ?? '',
		envs: toKeyValues(variables),
		mounts,
		labels: {
			[LABELS.containerName]: container.name,
			[LABELS.podName]: pod.metadata?.name ?? '',
			[LABELS.podNamespace]: pod.metadata?.namespace ?? 'default',
			[LABELS.podUid]: uid,
		},
		annotations: {
			[ANNOTATIONS.kind]: kind,
			[ANNOTATIONS.gracePeriod]: String(pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS),
		},
		log_path: `${container.name}/0.log`,
		stdin: container.stdin ?? false,
		stdin_once: container.stdinOnce ?? false,
		tty: container.tty ?? false,
		stop_signal: stopSignalOf(container),
		linux: {
			resources: resourcesOf(container.resources, pod, `${path}.resources`),
			security_context: containerSecurity(pod, container, {
				manifestFolder,
				path: `${path}.securityContext`,
			}),
		},
	};
}

function stopSignalOf(container: V1Container): Signal {
	// The field is newer than the client's types.
	const name = (container.lifecycle as { stopSignal?: string } | undefined)?.stopSignal;
	return name === undefined
		? 'SIGNAL_RUNTIME_DEFAULT'
		: (`SIGNAL_${name.replace('+', 'PLUS').replace('-', 'MINUS')}` as Signal);
}
