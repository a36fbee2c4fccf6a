import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dataLoss, errnoOf, failedPrecondition, messageOf, notFound } from '#base/errors.ts';
import { suggestion } from '../config/suggest.ts';
import type { DeviceName } from './device-name.ts';
import { type CdiSpec, type ContainerEdits, parseSpec } from './spec.ts';

/** Larger than any real one, which lists the libraries of a driver. */
const LIMIT_BYTES = 4 * 1024 * 1024;

interface SpecFile {
	readonly path: string;
	/** Place of its folder in the list: a higher one wins. */
	readonly priority: number;
	/** Of the file that it was read from. */
	readonly stamp: string;
	readonly spec: CdiSpec | undefined;
	/** Why it cannot be used; '' when it can. */
	readonly problem: string;
}

/** Edits with the device or spec that they come from, for messages. */
export interface NamedEdits {
	readonly of: string;
	readonly edits: ContainerEdits;
}

/**
 * The specs of the node's CDI devices. Nothing is watched: the folders are looked at when a container asks for a
 * device, and a file is read again when it has changed.
 */
export class CdiSpecs {
	#files = new Map<string, SpecFile>();

	/**
	 * What is to be done for the devices, in their order; the edits of a spec itself once, before those of its first
	 * device. NOT_FOUND for a device that no spec knows, FAILED_PRECONDITION for one that two know.
	 */
	async editsFor(devices: readonly DeviceName[], folders: readonly string[]): Promise<readonly NamedEdits[]> {
		if (devices.length === 0) return [];
		const files = await this.#look(folders);
		const seen = new Set<string>();
		return devices.flatMap((device) => {
			const { path, spec } = fileOf(device, files, folders);
			const own = spec.devices.find(({ name }) => name === device.name);
			const common = seen.has(path) ? undefined : spec.containerEdits;
			seen.add(path);
			return [
				...(common === undefined ? [] : [{ of: path, edits: common }]),
				...(own === undefined ? [] : [{ of: device.qualified, edits: own.containerEdits }]),
			];
		});
	}

	async #look(folders: readonly string[]): Promise<readonly SpecFile[]> {
		const found = await Promise.all(
			folders.map(async (folder, priority) => {
				const paths = (await namesIn(folder)).map((name) => join(folder, name));
				return await Promise.all(paths.map((path) => this.#file(path, priority)));
			}),
		);
		const files = found.flat().filter((file) => file !== undefined);
		this.#files = new Map(files.map((file) => [file.path, file]));
		return files;
	}

	async #file(path: string, priority: number): Promise<SpecFile | undefined> {
		try {
			const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
			const stamp = [ino, size, mtimeNs, ctimeNs].join(' ');
			const known = this.#files.get(path);
			if (known?.stamp === stamp) return { ...known, priority };
			return { path, priority, stamp, ...(await readSpec(path, size)) };
		} catch (error) {
			// Between the look at the folder and this one.
			if (errnoOf(error) === 'ENOENT') return undefined;
			return { path, priority, stamp: '', spec: undefined, problem: messageOf(error) };
		}
	}
}

async function readSpec(path: string, size: bigint): Promise<Pick<SpecFile, 'spec' | 'problem'>> {
	if (size > LIMIT_BYTES) return { spec: undefined, problem: `it is larger than ${LIMIT_BYTES} bytes` };
	const source = await readFile(path, 'utf8');
	try {
		return { spec: parseSpec(source, path), problem: '' };
	} catch (error) {
		return { spec: undefined, problem: messageOf(error) };
	}
}

/** CDI: only files of these names are specs, and only those in the folder itself. */
async function namesIn(folder: string): Promise<readonly string[]> {
	try {
		const entries = await readdir(folder, { withFileTypes: true });
		return entries
			.filter((entry) => !entry.isDirectory() && /\.(json|yaml)$/.test(entry.name))
			.map(({ name }) => name)
			.toSorted();
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return [];
		throw dataLoss(`Cannot read the CDI folder ${folder}: ${messageOf(error)}`, { cause: error });
	}
}

/** The one file whose spec is to be used for a device. */
function fileOf(
	device: DeviceName,
	files: readonly SpecFile[],
	folders: readonly string[],
): { readonly path: string; readonly spec: CdiSpec } {
	const knowing = files.flatMap(({ path, priority, spec }) =>
		spec?.kind === device.kind && spec.devices.some(({ name }) => name === device.name)
			? [{ path, priority, spec }]
			: [],
	);
	const highest = Math.max(...knowing.map(({ priority }) => priority));
	const [chosen, ...others] = knowing.filter(({ priority }) => priority === highest);
	if (chosen === undefined) throw notFound(unknown(device, files, folders));
	if (others.length === 0) return chosen;
	throw failedPrecondition(
		`CDI device ${device.qualified} cannot be had: ${[chosen, ...others].map(({ path }) => path).join(' and ')} both know it; remove one`,
	);
}

function unknown(
	{ qualified, kind }: DeviceName,
	files: readonly SpecFile[],
	folders: readonly string[],
): string {
	const all = files.flatMap(({ spec }) => spec?.devices.map(({ name }) => `${spec.kind}=${name}`) ?? []);
	const ofKind = [...new Set(all)].filter((name) => name.startsWith(`${kind}=`));
	const near = ofKind.length > 0 ? `; of ${kind} there are ${few(ofKind)}` : suggestion(qualified, all);
	const broken = files.filter(({ problem }) => problem !== '');
	const left = broken.map(({ path, problem }) => `; ${path} is left out: ${problem}`).join('');
	const where = folders.length === 0 ? '(runtime.cdi_spec_dirs is empty)' : `in ${folders.join(', ')}`;
	return `No CDI spec ${where} knows the device ${qualified}${near}${left}`;
}

const MOST_TOLD = 10;

const few = (names: readonly string[]): string =>
	names.length <= MOST_TOLD
		? names.join(', ')
		: `${names.slice(0, MOST_TOLD).join(', ')} and ${names.length - MOST_TOLD} more`;
