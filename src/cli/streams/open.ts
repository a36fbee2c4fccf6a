import { readFile } from 'node:fs/promises';
import { messageOf } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { configOfDaemon } from '../context.ts';
import type { ConnectOptions, OwnCertificate } from './connect.ts';

/** How to connect to a URL that the daemon gave. */
export async function connectOptions(cli: Cli, url: string, protocol: string): Promise<ConnectOptions> {
	const certificate = url.startsWith('https') ? await ownCertificate(cli) : undefined;
	return { protocol, certificate, signal: cli.signal };
}

/** The daemon's own, by its word, as the URL: nobody else may have signed it. */
async function ownCertificate(cli: Cli): Promise<OwnCertificate | undefined> {
	const path = (await configOfDaemon(cli))?.streaming?.tlsCertificate;
	if (path === undefined || path === '') return undefined;
	try {
		return { path, pem: await readFile(path, 'utf8') };
	} catch (error) {
		return { path, problem: messageOf(error) };
	}
}
