import type { V1Pod } from '@kubernetes/client-node';
import { failedPrecondition } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { type PulledImage, pullImage } from '../pull-image.ts';
import { containersOf, type PodContainer } from './container-config.ts';
import { checkNonRoot } from './security.ts';

export interface PodImages {
	/** Image as the manifest names it → what CreateContainer takes. */
	readonly refs: ReadonlyMap<string, string>;
	readonly pulled: readonly PulledImage[];
}

/** Brings every image of the pod here, by each container's imagePullPolicy. `onPulled` hears of each at once. */
export async function ensureImages(
	cli: Cli,
	pod: V1Pod,
	onPulled: (image: PulledImage) => void,
): Promise<PodImages> {
	const refs = new Map<string, string>();
	const pulled: PulledImage[] = [];
	for (const entry of containersOf(pod)) {
		const name = entry.container.image ?? '';
		const here = refs.get(name) ?? (await present(cli, entry));
		const ref = here ?? (await pull(cli, name, pulled, onPulled));
		refs.set(name, ref);
		await requireNonRoot(cli, pod, entry, ref);
	}
	return { refs, pulled };
}

async function pull(
	cli: Cli,
	name: string,
	pulled: PulledImage[],
	onPulled: (image: PulledImage) => void,
): Promise<string> {
	const image = await pullImage(cli, name);
	pulled.push(image);
	onPulled(image);
	return image.ref;
}

/** The image's reference when it is here and need not be pulled. */
async function present(cli: Cli, { container }: PodContainer): Promise<string | undefined> {
	const name = container.image ?? '';
	const policy = container.imagePullPolicy ?? defaultPolicy(name);
	if (policy === 'Always') return undefined;
	const { image } = await cli.call('ImageStatus', { image: { image: name } });
	if (image !== null) return image.repo_digests[0] ?? image.id;
	if (policy === 'Never')
		throw failedPrecondition(
			`Image ${name} of container ${container.name} is not here, and its imagePullPolicy is Never; pull it with "gantry pull ${name}"`,
		);
	return undefined;
}

/** As Kubernetes has it: latest, also when it is not written, is always asked for anew. */
export function defaultPolicy(image: string): 'Always' | 'IfNotPresent' {
	const name = image.slice(image.lastIndexOf('/') + 1);
	if (name.includes('@')) return 'IfNotPresent';
	const tag = name.split(':')[1] ?? 'latest';
	return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

async function requireNonRoot(cli: Cli, pod: V1Pod, { container }: PodContainer, ref: string): Promise<void> {
	if (!(container.securityContext?.runAsNonRoot ?? pod.spec?.securityContext?.runAsNonRoot)) return;
	const { image } = await cli.call('ImageStatus', { image: { image: ref } });
	const uid = image?.uid === null || image?.uid === undefined ? undefined : Number(image.uid.value);
	checkNonRoot(pod, container, { uid, username: image?.username ?? '' });
}
