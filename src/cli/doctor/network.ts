import { silentLog } from '#base/log.ts';
import { type Launcher, nativeBinary } from '#runtime';
import { type Leftover, openNetwork } from '../../network/index.ts';
import type { Finding } from './finding.ts';
import type { Scene } from './scene.ts';

/**
 * Links, host ports, nftables tables and CNI attachments without a living sandbox: the network's own view.
 * `fix`: the findings that are to be removed.
 */
export async function findNetwork(
	scene: Scene,
	launcher: Launcher,
	fix: readonly Finding[] = [],
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
	const isToGo = ({ kind, name }: Leftover) => fix.some((one) => one.kind === kind && one.name === name);
	try {
		const options = { stopped: !daemonRuns, ...(fix.length === 0 ? {} : { fix: isToGo }) };
		return (await network.leftovers(owned.sandboxes, options)).map(asFinding);
	} finally {
		await network.close();
	}
}

const asFinding = ({ kind, name, why, sandboxId, pod, remedy, sinceMs }: Leftover): Finding => ({
	kind,
	name,
	why,
	owner: sandboxId,
	ownerName: pod === '' ? '' : `pod ${pod}`,
	sinceMs,
	fix: FIXES[kind] ?? 'removes it',
	remedy,
	removal: { how: 'finder' },
});

const FIXES: Readonly<Record<string, string>> = {
	link: 'deletes it with its other end in the pod; the bridge stays',
	bridge: 'deletes it; the next start of the daemon makes it again',
	'nftables table': 'deletes it with all host ports in it; the tables of others stay',
	'host port': 'takes it out of the map, so that the port is free; the table stays',
	'CNI attachment':
		'calls the plugins with DEL, which frees what they gave (addresses, ports), and forgets it',
	'network namespace': 'unmounts and removes the file; the namespace ends with its last process',
};
