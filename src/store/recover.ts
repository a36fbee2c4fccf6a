import { removeHalfWritten } from '#base/atomic-file.ts';
import { makePauseRoot } from '../sandbox/pause-root.ts';
import type { Daemon } from '../server/types.ts';
import { finishHalfDone } from './recover-half-done.ts';
import { type Half, readObjects } from './recover-objects.ts';
import { removeOrphans } from './recover-orphans.ts';
import { reconnectAll } from './recover-shims.ts';

/**
 * Takes over what the daemon before left: objects are read, their shims connected again, exits that happened
 * meanwhile taken note of, the network told who lives; then what was half made or half removed is finished and
 * what nobody owns is removed. Nothing that runs is disturbed. Called once, before the first request.
 */
export async function recover(daemon: Daemon): Promise<void> {
	const { config, network, sandboxes, containers, log } = daemon;
	await removeHalfWritten(config.state);
	await makePauseRoot(config.root, config.runtime.nativeFolder);
	const half: Half = await readObjects(daemon);
	await reconnectAll(daemon, [...sandboxes.list(), ...half.sandboxes]);
	// Before anything is released: the provider must know its own first.
	await network.restore(livingNetworks(daemon));
	await finishHalfDone(daemon, half);
	await removeOrphans(daemon);
	log.info('recovered', { sandboxes: sandboxes.list().length, containers: containers.list().length });
}

function livingNetworks({ sandboxes }: Daemon): Parameters<Daemon['network']['restore']>[0] {
	return sandboxes.list().flatMap(({ metadata, status }) => {
		if (status.network === undefined || status.networkReleased) return [];
		return [{ sandboxId: metadata.id, folder: metadata.folder, result: status.network }];
	});
}
