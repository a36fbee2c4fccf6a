import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { StatusError } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { json } from '../output/json.ts';
import type { Act } from '../program.ts';

export function addVersion(program: Command, act: Act): void {
	program
		.command('version')
		.description('versions of this command and of the daemon')
		.action(act(async (cli) => await version(cli)));
}

async function version(cli: Cli): Promise<void> {
	const client = await ownVersion();
	const daemon = await daemonVersion(cli);
	if (cli.options.json) return cli.io.out(json({ client, node: process.version, daemon: daemon ?? null }));
	cli.io.out(`gantry   ${client} (Node ${process.version})\n`);
	cli.io.out(
		daemon === undefined
			? 'gantryd  not running\n'
			: `gantryd  ${daemon.runtime_version} (CRI ${daemon.runtime_api_version})\n`,
	);
}

/** The version of this checkout. */
export async function ownVersion(): Promise<string> {
	const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
	return (JSON.parse(text) as { version: string }).version;
}

async function daemonVersion(cli: Cli) {
	try {
		return await cli.call('Version', {});
	} catch (error) {
		if (error instanceof StatusError && error.condition === 'UNAVAILABLE') return undefined;
		throw error;
	}
}
