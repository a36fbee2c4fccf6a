import type { Command } from 'commander';
import { failedPrecondition, invalidArgument, notFound, StatusError } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { json } from '../output/json.ts';
import type { Act } from '../program.ts';

export function addRmi(program: Command, act: Act): void {
	program
		.command('rmi')
		.description('remove images')
		.argument('[image...]', 'references, ids or beginnings of ids')
		.option('--unused', 'every image that no container uses')
		.action(
			act<{ unused?: boolean }>(async (cli, references, options) => {
				if (options.unused === undefined && references.length === 0)
					throw invalidArgument('Name an image, or give --unused');
				const targets = options.unused ? await unusedImages(cli) : references;
				for (const target of targets) await removeImage(cli, target);
				if (cli.options.json) cli.io.out(json({ removed: targets }));
				else for (const target of targets) cli.io.out(`${target}\n`);
			}),
		);
}

/** RemoveImage is silent about an image that is not here; a person wants to know. */
async function removeImage(cli: Cli, reference: string): Promise<void> {
	const { image } = await cli.call('ImageStatus', { image: { image: reference } });
	if (image === null) throw notFound(`There is no image ${reference}; "gantry images" lists what there is`);
	const { containers } = await cli.call('ListContainers', {});
	const user = containers.find((container) => container.image_id === image.id);
	if (user !== undefined)
		throw failedPrecondition(
			`Image ${reference} is used by container ${user.metadata?.name} (${user.id.slice(0, 13)}); remove its pod first`,
		);
	await cli.call('RemoveImage', { image: { image: reference } });
}

async function unusedImages(cli: Cli): Promise<readonly string[]> {
	const [{ images }, { containers }] = await Promise.all([
		cli.call('ListImages', {}),
		cli.call('ListContainers', {}),
	]);
	const volumes = await Promise.all(containers.map(({ id }) => imagesOfVolumes(cli, id)));
	const used = new Set([...containers.map((container) => container.image_id), ...volumes.flat()]);
	return images.filter((image) => !used.has(image.id) && !image.pinned).map((image) => image.id);
}

/** Ids of the images that a container has as volumes; none when it was removed meanwhile. */
async function imagesOfVolumes(cli: Cli, id: string): Promise<readonly string[]> {
	const status = await cli.call('ContainerStatus', { container_id: id }).catch((error: unknown) => {
		if (error instanceof StatusError && error.condition === 'NOT_FOUND') return undefined;
		throw error;
	});
	return (status?.status?.mounts ?? []).flatMap(({ image }) => image?.image_ref || []);
}
