import type { Command } from 'commander';
import { json } from '../output/json.ts';
import type { Act } from '../program.ts';
import { pulledLine, pullImage } from '../pull-image.ts';

export function addPull(program: Command, act: Act): void {
	program
		.command('pull')
		.description('pull images from their registries')
		.argument('<image...>', 'references: busybox, registry.example:5000/team/app:1, name@sha256:…')
		.option('--creds <user:password>', 'credentials for the registry')
		.action(
			act<{ creds?: string }>(async (cli, references, options) => {
				const pulled = [];
				for (const reference of references)
					pulled.push(await pullImage(cli, reference, credentials(options.creds)));
				if (cli.options.json) cli.io.out(json(pulled));
				else for (const image of pulled) cli.io.out(pulledLine(image));
			}),
		);
}

function credentials(text: string | undefined): { username: string; password: string } | undefined {
	if (text === undefined) return undefined;
	const at = text.indexOf(':');
	return at < 0
		? { username: text, password: '' }
		: { username: text.slice(0, at), password: text.slice(at + 1) };
}
