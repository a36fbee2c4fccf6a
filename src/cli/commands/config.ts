import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { readConfig } from '../context.ts';
import { json } from '../output/json.ts';
import { table } from '../output/table.ts';
import type { Act } from '../program.ts';

export function addConfig(program: Command, act: Act): void {
	program
		.command('config')
		.description('the effective configuration, with where each value comes from')
		.option('--changed', 'only what differs from the defaults')
		.action(
			act<{ changed?: boolean }>(async (cli, _args, options) => await config(cli, options.changed ?? false)),
		);
}

async function config(cli: Cli, changed: boolean): Promise<void> {
	const { settings, files } = await readConfig(cli.options);
	const shown = settings.filter((setting) => !changed || setting.origin !== 'default');
	if (cli.options.json) {
		const options = shown.map(({ name, value, origin }) => ({ name, value, origin }));
		return cli.io.out(json({ files, options }));
	}
	cli.io.out(
		table(shown, [
			{ title: 'OPTION', value: ({ name }) => name },
			{ title: 'VALUE', value: ({ raw }) => JSON.stringify(raw) },
			{ title: 'FROM', value: ({ origin }) => origin },
		]),
	);
}
