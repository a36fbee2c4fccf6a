import { silentLog } from '#base/log.ts';
import { type Launcher, nativeBinary } from '#runtime';
import { openNetwork } from '../../network/index.ts';
import type { Finding } from './finding.ts';
import type { Scene } from './scene.ts';

/** Links, addresses, host ports, nftables tables and CNI attachments without a living sandbox: the network's own view. */
export async function findNetwork(
	scene: Scene,
	launcher: Launcher,
	fix: boolean,
): Promise<readonly Finding[]> {
	const { config, daemonRuns, owned } = scene;
	const network = await openNetwork({
		instance: config.instance,
		...config.network,
		launcher,
		stateFolder: config.state,
		rootFolder: config.root,
		hookBinary: nativeBinary('gantry-hook', config.runtime.nativeFolder),
		log: silentLog,
		checkIntervalMs: 0,
	});
	try {
		const leftovers = await network.leftovers(owned.sandboxes, { fix, stopped: !daemonRuns });
		return leftovers.map(({ kind, name, why, remedy }) => ({
			kind,
			name,
			why,
			owner: /[0-9a-f]{64}/.exec(why)?.[0] ?? '',
			sinceMs: undefined,
			remedy,
			removal: { how: 'finder' },
		}));
	} finally {
		await network.close();
	}
}
