import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fromSystemError, invalidArgument, messageOf } from '#base/errors.ts';
import type { ContainerConfig, PodSandboxConfig } from '#cri-api';
import type { Launcher, OciSpec, Surroundings } from '#runtime';
import type { Container } from '../container/types.ts';
import { sandboxName } from '../sandbox/metadata.ts';
import type { Sandbox } from '../sandbox/types.ts';
import { fromJson, toJson } from '../store/json.ts';
import { integer, list, object, objectWith, type Shape, text } from '../store/shape.ts';
import { containerConfig, podConfig } from './configs.ts';
import type { Deadline } from './deadline.ts';
import { readDocument } from './read-document.ts';
import { SPEC_FILE } from './same-protection.ts';
import { readPacked } from './tar.ts';

/** gantry.json: what RestorePod needs of one container. */
export interface SavedContainer {
	readonly version: 1;
	readonly config: ContainerConfig;
	readonly surroundings: Surroundings;
}

/** pod.dump: what RestorePod needs of the pod. */
export interface SavedPod {
	readonly version: 1;
	readonly config: PodSandboxConfig;
	readonly runtimeHandler: string;
	/** Folders of its containers, below the one of the pod. */
	readonly containers: readonly { readonly name: string; readonly folder: string }[];
}

const CONTAINER_FILE = 'gantry.json';
const CONFIG_FILE = 'config.dump';
const POD_FILE = 'pod.dump';

const version: Shape<1> = (value, path) => {
	integer(value, path);
	if (value === 1) return 1;
	throw invalidArgument(`${path} is ${value}; this daemon knows 1`);
};
const savedContainer = object<SavedContainer>({
	version,
	config: containerConfig,
	surroundings: object<Surroundings>({ mounts: list(text), stdin: text, stdout: text, stderr: text }),
});
const savedPod = object<SavedPod>({
	version,
	config: podConfig,
	runtimeHandler: text,
	containers: list(object<SavedPod['containers'][number]>({ name: text, folder: text })),
});

/** The documents of one container: ours, and those that other runtimes' tools read. */
export async function writeContainer(
	folder: string,
	{ metadata: { id, config, image, createdAtNs } }: Container,
	spec: OciSpec,
	surroundings: Surroundings,
): Promise<void> {
	const saved: SavedContainer = { version: 1, config, surroundings };
	const time = (ns: bigint) => new Date(Number(ns / 1_000_000n)).toISOString();
	const configDump = {
		id,
		name: config.metadata?.name ?? '',
		rootfsImage: image.id,
		rootfsImageRef: image.ref,
		rootfsImageName: image.userReference,
		runtime: 'gantry',
		createdTime: time(createdAtNs),
		checkpointedTime: new Date().toISOString(),
	};
	await write(folder, CONTAINER_FILE, toJson(saved));
	await write(folder, CONFIG_FILE, JSON.stringify(configDump));
	await write(folder, SPEC_FILE, JSON.stringify(spec));
}

export async function writePod(
	folder: string,
	{ metadata: { config, runtimeHandler } }: Sandbox,
	containers: SavedPod['containers'],
): Promise<void> {
	await write(
		folder,
		POD_FILE,
		toJson({ version: 1, config, runtimeHandler, containers } satisfies SavedPod),
	);
}

/** INVALID_ARGUMENT when the folder has none, or one that cannot be understood. */
export const readContainer = (folder: string): Promise<SavedContainer> =>
	read(folder, CONTAINER_FILE, savedContainer);
export const readPod = (folder: string): Promise<SavedPod> => read(folder, POD_FILE, savedPod);

/** config.dump: whose processes they are, and what they were made from. */
export interface SavedOrigin {
	readonly id: string;
	readonly rootfsImage: string;
	readonly rootfsImageName: string;
}
const savedOrigin = objectWith<SavedOrigin>({ id: text, rootfsImage: text, rootfsImageName: text });
const whose = objectWith<Pick<SavedOrigin, 'id'>>({ id: text });

export const readOrigin = (folder: string): Promise<SavedOrigin> => read(folder, CONFIG_FILE, savedOrigin);

/** Both documents of a container's archive, without unpacking it. INVALID_ARGUMENT as for folders. */
export async function readArchived(
	launcher: Pick<Launcher, 'run'>,
	archive: string,
	deadline: Deadline,
): Promise<{ readonly saved: SavedContainer; readonly origin: SavedOrigin }> {
	const of = async <T>(name: string, shape: Shape<T>): Promise<T> => {
		const content = await readPacked(launcher, { archive, name: `./${name}` }, deadline);
		if (content === '')
			throw invalidArgument(
				`${archive} is no checkpoint of a container that Gantry made: it has no ./${name}`,
			);
		try {
			return shape(fromJson(content), name);
		} catch (error) {
			throw invalidArgument(`Cannot read ${name} of ${archive}: ${messageOf(error)}`, { cause: error });
		}
	};
	return { saved: await of(CONTAINER_FILE, savedContainer), origin: await of(CONFIG_FILE, savedOrigin) };
}

/** Whether the folder holds a checkpoint of this very container, made by us or by another runtime. */
export async function isCheckpointOf(folder: string, { metadata }: Container): Promise<boolean> {
	const { id } = await read(folder, CONFIG_FILE, whose).catch(() => ({ id: '' }));
	return id === metadata.id;
}

/** Whether the folder holds a checkpoint of this very pod. */
export async function isCheckpointOfPod(folder: string, { metadata }: Sandbox): Promise<boolean> {
	const saved = await readPod(folder).catch(() => undefined);
	const [its, ours] = [saved?.config.metadata, metadata.config.metadata];
	return its != null && ours !== null && sandboxName(its) === sandboxName(ours);
}

async function write(folder: string, name: string, content: string): Promise<void> {
	try {
		await writeFile(join(folder, name), content, { mode: 0o600, flag: 'wx' });
	} catch (error) {
		throw fromSystemError(`Cannot write ${join(folder, name)}`, error);
	}
}

async function read<T>(folder: string, name: string, shape: Shape<T>): Promise<T> {
	const path = join(folder, name);
	try {
		return shape(fromJson(await readDocument(path)), name);
	} catch (error) {
		const isMissing = ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
		throw invalidArgument(
			isMissing
				? `${folder} is no checkpoint of a ${name === POD_FILE ? 'pod' : 'container'}: it has no ${name}`
				: `Cannot read ${path}: ${messageOf(error)}`,
			{ cause: error },
		);
	}
}
