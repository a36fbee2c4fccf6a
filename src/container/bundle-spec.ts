import { join } from 'node:path';
import { dataLoss } from '#base/errors.ts';
import { type OciSpec, readSpec } from '#runtime';
import type { ContainerMetadata } from './types.ts';

const specs = new WeakMap<ContainerMetadata, Promise<OciSpec>>();

/** The spec that a container was made with, from its bundle; kept as long as the container is known. */
export function specOf(metadata: ContainerMetadata): Promise<OciSpec> {
	const known = specs.get(metadata);
	if (known !== undefined) return known;
	const reading = read(metadata);
	specs.set(metadata, reading);
	reading.catch(() => specs.delete(metadata));
	return reading;
}

async function read({ id, folder, cgroupsPath }: ContainerMetadata): Promise<OciSpec> {
	const bundle = join(folder, 'bundle');
	const spec = await readSpec(bundle);
	if (spec === undefined) throw dataLoss(`The bundle ${bundle} of container ${id} has no config.json`);
	if (spec.linux?.cgroupsPath !== cgroupsPath)
		throw dataLoss(`The bundle ${bundle} of container ${id} has the config.json of another container`);
	return spec;
}
