import { invalidArgument } from '#base/errors.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Config } from '../config/types.ts';
import type { CriClient } from '../server/grpc-client.ts';
import type { Cli, Folders, GlobalOptions } from './cli.ts';
import type { Io } from './io.ts';

/** Seconds that one call may take when --timeout is not given. Pulls and stops have their own, longer one. */
const DEFAULT_TIMEOUT_SECONDS = 60;

/** Makes what a command works with. Configuration and connection are only read and made when a command needs them. */
export function createCli(options: GlobalOptions, io: Io, signal: AbortSignal): Cli & Disposable {
	let client: Promise<CriClient> | undefined;
	let opened: CriClient | undefined;
	const connect = async () => {
		const { createCriClient } = await import('../server/grpc-client.ts');
		opened = createCriClient(await addressOf(options));
		return opened;
	};
	const cli: Cli & Disposable = {
		io,
		options,
		signal,
		client: () => {
			client ??= connect();
			return client;
		},
		call: async (rpc, request, { timeoutMs } = {}) => {
			const limit = timeoutMs ?? (options.timeout ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
			return await (await cli.client()).call(rpc, request, { timeoutMs: limit, signal });
		},
		folders: async () => (await foldersOfDaemon(cli)) ?? (await readConfig(options)).config,
		[Symbol.dispose]: () => opened?.close(),
	};
	return cli;
}

/** The configuration as gantryd with the same options would read it. */
export async function readConfig(options: GlobalOptions): Promise<LoadedConfig> {
	const { loadConfig } = await import('../config/load.ts');
	const { config, root, state, set } = options;
	return loadConfig({ config, root, state, set, listen: options.address });
}

async function addressOf(options: GlobalOptions): Promise<string> {
	const { address } = options;
	if (address === undefined) return (await readConfig(options)).config.listen;
	if (address.startsWith('unix:///')) return address;
	if (address.startsWith('/')) return `unix://${address}`;
	throw invalidArgument(`--address ${address} is no Unix socket: write it as unix:///run/gantry/gantry.sock`);
}

/** The configuration of the daemon, as it says in Status; undefined when it says nothing. Of an older one things may be missing. */
export async function configOfDaemon(cli: Cli): Promise<ConfigOfDaemon | undefined> {
	const { info } = await cli.call('Status', { verbose: true });
	try {
		return JSON.parse(info.config ?? '') as ConfigOfDaemon;
	} catch {
		return undefined;
	}
}

type ConfigOfDaemon = { readonly [K in keyof Config]?: Partial<Config[K]> };

async function foldersOfDaemon(cli: Cli): Promise<Folders | undefined> {
	const { root, state } = (await configOfDaemon(cli)) ?? {};
	return root === undefined || state === undefined ? undefined : { root, state };
}
