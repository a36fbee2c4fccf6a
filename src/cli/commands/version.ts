import type { Command } from 'commander';
import { StatusError } from '#base/errors.ts';
import { VERSION } from '../../startup/version.ts';
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
	const daemon = await daemonVersion(cli);
	if (cli.options.json)
		return cli.io.out(json({ client: VERSION, node: process.version, daemon: daemon ?? null }));
	cli.io.out(`gantry   ${VERSION} (Node ${process.version})\n`);
	cli.io.out(
		daemon === undefined
			? 'gantryd  not running\n'
			: `gantryd  ${daemon.runtime_version} (CRI ${daemon.runtime_api_version})\n`,
	);
}

async function daemonVersion(cli: Cli) {
	try {
		return await cli.call('Version', {});
	} catch (error) {
		if (error instanceof StatusError && error.condition === 'UNAVAILABLE') return undefined;
		throw error;
	}
}
