/** The three shapes of images that are pulled, all of the same size. */
import { randomBytes } from 'node:crypto';
import type { Registry } from '../support/registry.ts';
import type { TarEntry } from '../support/tar.ts';

const FOLDERS = 100;

export interface Shape {
	readonly name: string;
	readonly reference: string;
}

/** Pushes them. Half of every file is noise and half is zeros, so that gzip has its usual work. */
export async function pushShapes(registry: Registry, megabytes: number, files: number): Promise<Shape[]> {
	const shapes = {
		[`${files} files`]: [folder('many', files, megabytes)],
		'3 large files': [folder('large', 3, megabytes)],
		'30 thin layers': Array.from({ length: 30 }, (_, layer) =>
			folder(`layer${layer}`, Math.ceil(files / 30), megabytes / 30),
		),
	};
	const pushed: Shape[] = [];
	for (const [name, layers] of Object.entries(shapes)) {
		const image = `bench/${name.replaceAll(' ', '-')}`;
		const sources = layers.map((entries) => ({ entries }));
		const { reference } = await registry.pushImage({ name: image, layers: sources });
		pushed.push({ name, reference });
	}
	return pushed;
}

function folder(top: string, files: number, megabytes: number): TarEntry[] {
	const half = Math.floor((megabytes * 1e6) / files / 2);
	return Array.from({ length: files }, (_, file) => ({
		name: `${top}/${file % FOLDERS}/${file}`,
		data: Buffer.concat([randomBytes(half), Buffer.alloc(half)]),
	}));
}
