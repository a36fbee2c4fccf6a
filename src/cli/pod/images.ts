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

/** An image that the pod needs, with the policy of the one that needs it. */
interface Wanted {
	readonly name: string;
	readonly policy: string | undefined;
	/** `container main`, `volume data`: for messages. */
	readonly by: string;
}

/** Brings every image of the pod here, for containers and volumes, by the pull policy of each. `onPulled` hears of each at once. */
export async function ensureImages(
	cli: Cli,
	pod: V1Pod,
	onPulled: (image: PulledImage) => void,
): Promise<PodImages> {
	const refs = new Map<string, string>();
	const pulled: PulledImage[] = [];
	const bring = async (wanted: Wanted): Promise<string> => {
		const here = refs.get(wanted.name) ?? (await present(cli, wanted));
		const ref = here ?? (await pull(cli, wanted.name, pulled, onPulled));
		refs.set(wanted.name, ref);
		return ref;
	};
	for (const entry of containersOf(pod)) {
		const { name, image = '', imagePullPolicy } = entry.container;
		const ref = await bring({ name: image, policy: imagePullPolicy, by: `container ${name}` });
		await requireNonRoot(cli, pod, entry, ref);
	}
	for (const { name, image } of pod.spec?.volumes ?? [])
		if (image?.reference !== undefined)
			await bring({ name: image.reference, policy: image.pullPolicy, by: `volume ${name}` });
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
async function present(cli: Cli, { name, policy, by }: Wanted): Promise<string | undefined> {
	const pullPolicy = policy ?? defaultPolicy(name);
	if (pullPolicy === 'Always') return undefined;
	const { image } = await cli.call('ImageStatus', { image: { image: name } });
	if (image !== null) return image.repo_digests[0] ?? image.id;
	if (pullPolicy === 'Never')
		throw failedPrecondition(
			`Image ${name} of ${by} is not here, and its ${by.startsWith('volume') ? 'pullPolicy' : 'imagePullPolicy'} is Never; pull it with "gantry pull ${name}"`,
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
