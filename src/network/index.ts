/** The network of sandboxes: the built-in provider, CNI, and the files that go with them. */
import { join } from 'node:path';
import type { Log } from '#base/log.ts';
import type { Launcher } from '#runtime';
import { BuiltinProvider } from './builtin/provider.ts';
import { parseSubnets } from './builtin/subnets.ts';
import { ProviderChoice } from './choice.ts';
import { CniProvider } from './cni/provider.ts';
import type { NetworkProvider } from './types.ts';

export { readNote } from './sandbox-files.ts';
export type * from './types.ts';

export interface NetworkOptions {
	readonly instance: string;
	readonly provider: 'auto' | 'builtin' | 'cni';
	/** Pod networks of the built-in provider, at most one per family; empty: chosen so that they hit nothing. */
	readonly subnets: readonly string[];
	readonly cniConfDir: string;
	readonly cniBinDirs: readonly string[];
	/** Longest time for one plugin. Default 45. */
	readonly cniTimeoutSeconds?: number;
	readonly launcher: Pick<Launcher, 'applyNetwork' | 'run' | 'teardown'>;
	/** On tmpfs. */
	readonly stateFolder: string;
	/** On disk, for what plugins keep over a reboot. Default: the state folder. */
	readonly rootFolder?: string;
	/** Path of gantry-hook. */
	readonly hookBinary: string;
	readonly log: Log;
	/** How often the built-in provider looks after the host's side, ms; 0: never. */
	readonly checkIntervalMs?: number;
}

/**
 * Opens the network of an instance. It changes nothing on the machine and serves nothing until `restore` is
 * called, so a command may open it beside a running daemon to ask for `leftovers` or `describe`.
 * INVALID_ARGUMENT when the configured subnets are none.
 */
export async function openNetwork(options: NetworkOptions): Promise<NetworkProvider> {
	const log = options.log.child({ part: 'network' });
	parseSubnets(options.subnets);
	const builtin = new BuiltinProvider({ ...options, log });
	const cni = new CniProvider({
		confDir: options.cniConfDir,
		binDirs: options.cniBinDirs,
		timeoutMs: (options.cniTimeoutSeconds ?? 45) * 1000,
		launcher: options.launcher,
		stateFolder: options.stateFolder,
		cacheFolder: join(options.rootFolder ?? options.stateFolder, 'cni'),
		hookBinary: options.hookBinary,
		log,
	});
	return new ProviderChoice({
		provider: options.provider,
		builtin,
		cni,
		stateFolder: options.stateFolder,
		log,
	});
}
