/** The endpoints, a registry on loopback, and the images that all parts need. */
import { readFileSync } from 'node:fs';
import { busyboxEntries, type Registry, startRegistry } from '../support/registry.ts';
import type { Endpoint } from './endpoint.ts';
import { startGantry } from './gantry-endpoint.ts';
import { startPeer } from './peer-endpoint.ts';

const PAUSE = new URL('../../runtime/native/build/pause', import.meta.url);

export interface Stage {
	readonly registry: Registry;
	readonly endpoints: readonly Endpoint[];
	readonly image: string;
	/** Removes everything. Throws when something is left. */
	remove(): Promise<void>;
}

/** `peerPackages` is the folder of fetchPeer; without it there is no peer. */
export async function setStage(peerPackages: string | undefined): Promise<Stage> {
	const endpoints: Endpoint[] = [];
	const registry = await startRegistry();
	const remove = async (): Promise<void> => {
		const results = await Promise.allSettled(endpoints.map((endpoint) => endpoint.remove()));
		await registry.stop();
		const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
		if (failures.length > 0) throw new AggregateError(failures, 'bench: not everything could be removed');
	};
	try {
		const image = await pushBusybox(registry);
		endpoints.push(await startGantry('builtin'), await startGantry('cni'));
		if (peerPackages !== undefined) endpoints.push(await startPeer(peerPackages, await pushPause(registry)));
		for (const { cri } of endpoints) await cri.PullImage({ image: { image } });
		return { registry, endpoints, image, remove };
	} catch (cause) {
		await remove();
		throw cause;
	}
}

/** An image whose command is a shell. Returns its reference. */
export async function pushBusybox(registry: Registry): Promise<string> {
	const config = { Cmd: ['sh'], Env: ['PATH=/bin'] };
	const layers = [{ entries: busyboxEntries() }];
	return (await registry.pushImage({ name: 'bench/busybox', layers, config })).reference;
}

/** The peer's sandboxes run the same pause program as Gantry's. */
async function pushPause(registry: Registry): Promise<string> {
	const entries = [{ name: 'pause', data: readFileSync(PAUSE), mode: 0o755 }];
	const pushed = await registry.pushImage({
		name: 'bench/pause',
		layers: [{ entries }],
		config: { Entrypoint: ['/pause'] },
	});
	return pushed.reference;
}
