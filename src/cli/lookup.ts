/** Finds what a person means: an id, the beginning of one, or a name. */

import { invalidArgument, notFound } from '#base/errors.ts';
import type { Container, PodSandbox } from '#cri-api';
import type { Cli } from './cli.ts';
import { short } from './output/format.ts';

export async function listPods(cli: Cli): Promise<readonly PodSandbox[]> {
	return (await cli.call('ListPodSandbox', {})).items;
}

export async function listContainers(cli: Cli): Promise<readonly Container[]> {
	return (await cli.call('ListContainers', {})).containers;
}

export async function findPod(cli: Cli, text: string): Promise<PodSandbox> {
	return choosePod(await listPods(cli), text);
}

export async function findContainer(cli: Cli, text: string): Promise<Container> {
	const [pods, containers] = await Promise.all([listPods(cli), listContainers(cli)]);
	return chooseContainer(pods, containers, text);
}

/** `namespace/name` of a pod; the namespace `default` is left out. */
export function podName(pod: PodSandbox | undefined): string {
	const { namespace = '', name = '' } = pod?.metadata ?? {};
	return namespace === 'default' || namespace === '' ? name : `${namespace}/${name}`;
}

/** By id, unique beginning of an id, `name` or `namespace/name`. A ready pod wins over stopped ones of the same name. */
export function choosePod(pods: readonly PodSandbox[], text: string): PodSandbox {
	const named = pods.filter(
		(pod) => text === podName(pod) || text === `${pod.metadata?.namespace}/${pod.metadata?.name}`,
	);
	const anywhere = named.length > 0 ? named : pods.filter((pod) => pod.metadata?.name === text);
	const candidates = anywhere.length > 0 ? anywhere : byId(pods, text);
	return only(
		'pod',
		text,
		prefer(candidates, (pod) => pod.state === 'SANDBOX_READY'),
		podName,
	);
}

/** By id, unique beginning of an id, `name`, `pod/name`, or a pod with one container. Running ones win. */
export function chooseContainer(
	pods: readonly PodSandbox[],
	containers: readonly Container[],
	text: string,
): Container {
	const podOf = (container: Container) => pods.find((pod) => pod.id === container.pod_sandbox_id);
	const fullName = (container: Container) => `${podName(podOf(container))}/${container.metadata?.name}`;
	const matchers: ((container: Container) => boolean)[] = [
		(container) => fullName(container) === text,
		(container) => container.metadata?.name === text,
		(container) => container.id.startsWith(text) && text.length >= 3,
		(container) => podName(podOf(container)) === text,
	];
	const found = matchers.map((matches) => containers.filter(matches)).find((list) => list.length > 0) ?? [];
	return only(
		'container',
		text,
		prefer(found, (container) => container.state === 'CONTAINER_RUNNING'),
		fullName,
	);
}

function byId<T extends { readonly id: string }>(items: readonly T[], text: string): readonly T[] {
	return text.length < 3 ? [] : items.filter((item) => item.id.startsWith(text));
}

function prefer<T>(items: readonly T[], better: (item: T) => boolean): readonly T[] {
	const preferred = items.filter(better);
	return items.length > 1 && preferred.length > 0 ? preferred : items;
}

function only<T extends { readonly id: string }>(
	kind: string,
	text: string,
	found: readonly T[],
	name: (item: T) => string,
): T {
	const [first] = found;
	if (first === undefined) throw notFound(`There is no ${kind} ${text}; "gantry ps -a" lists what there is`);
	if (found.length === 1) return first;
	const names = found.map((item) => `${short(item.id)} (${name(item)})`).join(', ');
	throw invalidArgument(`${text} means more than one ${kind}: ${names}. Give more of the id`);
}
