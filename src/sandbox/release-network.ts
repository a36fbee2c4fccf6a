import { changing } from '#base/fault-points.ts';
import type { Daemon } from '../server/types.ts';
import type { Sandbox } from './types.ts';

/** Frees the sandbox's addresses and ports. A plug-in's failure is logged: it never keeps a sandbox. */
export async function releaseNetwork(
	{ network, log, metrics }: Pick<Daemon, 'network' | 'log' | 'metrics'>,
	sandbox: Sandbox,
): Promise<void> {
	const { metadata, status } = sandbox;
	if (metadata.hostNetwork || status.networkReleased) return;
	const complaint = await changing('network.release', () =>
		network.release(metadata.id, metadata.folder, status.network),
	);
	if (complaint === '') return;
	metrics.networkFailed('release');
	log.warn('the network was released with a complaint', { sandbox: metadata.id, complaint });
}
