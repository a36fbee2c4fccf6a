import type { Command } from 'commander';
import type { Image } from '#cri-api';
import type { Cli } from '../cli.ts';
import { bytes, short } from '../output/format.ts';
import { json } from '../output/json.ts';
import { table } from '../output/table.ts';
import type { Act } from '../program.ts';

interface Row {
	readonly image: Image;
	readonly name: string;
}

export function addImages(program: Command, act: Act): void {
	program
		.command('images')
		.description('list images')
		.action(act(async (cli) => await images(cli)));
}

async function images(cli: Cli): Promise<void> {
	const list = (await cli.call('ListImages', {})).images;
	if (cli.options.json) return cli.io.out(json(list));
	cli.io.out(
		table(list.flatMap(namesOf), [
			{ title: 'IMAGE', value: ({ name }) => name },
			{ title: 'ID', value: ({ image }) => short(image.id) },
			{ title: 'SIZE', value: ({ image }) => bytes(image.size), right: true },
			{ title: 'PINNED', value: ({ image }) => (image.pinned ? 'yes' : '') },
		]),
	);
}

/** A row for each tag; an image without tags is shown by digest. */
function namesOf(image: Image): readonly Row[] {
	const names = image.repo_tags.length > 0 ? image.repo_tags : image.repo_digests.slice(0, 1);
	return (names.length > 0 ? names : ['-']).map((name) => ({ image, name }));
}
