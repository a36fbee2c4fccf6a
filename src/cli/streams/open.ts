import { readFile } from 'node:fs/promises';
import type { Cli } from '../cli.ts';
import { readConfig } from '../context.ts';
import type { ConnectOptions } from './connect.ts';

/** How to connect to a URL that the daemon gave. */
export async function connectOptions(cli: Cli, url: string, protocol: string): Promise<ConnectOptions> {
	const certificate = url.startsWith('https') ? await certificateOf(cli) : undefined;
	return { protocol, certificate, signal: cli.signal };
}

/** The daemon's own, which nobody may have signed. */
async function certificateOf(cli: Cli): Promise<string | undefined> {
	const path = (await readConfig(cli.options)).config.streaming.tlsCertificate;
	return path === '' ? undefined : await readFile(path, 'utf8').catch(() => undefined);
}
