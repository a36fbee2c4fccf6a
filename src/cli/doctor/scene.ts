import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '#base/errors.ts';
import { silentLog } from '#base/log.ts';
import type { Config } from '../../config/types.ts';
import { containerShape } from '../../container/record.ts';
import type { Container } from '../../container/types.ts';
import { sandboxShape } from '../../sandbox/record.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import { Records, type StoredRecord, type UnreadableRecord } from '../../store/records.ts';
import { unknownContainer, unknownSandbox } from '../../store/unreadable.ts';

/** What the records say: whatever is not in here is owned by nobody. */
export interface Owned {
	/** Ids of sandboxes. */
	readonly sandboxes: ReadonlySet<string>;
	readonly containers: ReadonlySet<string>;
	/** Uids of pods. */
	readonly pods: ReadonlySet<string>;
	/** The sandbox of each container. */
	readonly sandboxOf: ReadonlyMap<string, string>;
	/** Names for people of ids and uids, of those that are owned and of those that are not. */
	readonly names: ReadonlyMap<string, string>;
	/** Folders of objects that are not whole: no record, an unreadable one, or one that says so. */
	readonly unfinished: readonly Unfinished[];
}

export interface Unfinished {
	readonly kind: 'sandbox' | 'container';
	readonly id: string;
	readonly folder: string;
	readonly state: 'unreadable' | 'half-made' | 'half-removed';
	readonly why: string;
	readonly sinceMs: number;
}

/** One look at an instance. */
export interface Scene {
	readonly config: Config;
	/** A daemon of this instance runs. */
	readonly daemonRuns: boolean;
	readonly owned: Owned;
}

/** Reads every record in the state folder; one that cannot be read is reported, not guessed at. */
export async function readOwned(state: string, daemonRuns: boolean): Promise<Owned> {
	const sandboxes = await readSandboxes(join(state, 'sandboxes'), daemonRuns);
	const containers = await readContainers(join(state, 'containers'), daemonRuns);
	const podNames = new Map<string, string>();
	for (const { metadata } of sandboxes.all) {
		const pod = podName(metadata.config.metadata);
		podNames.set(metadata.id, pod).set(metadata.config.metadata?.uid ?? '', pod);
	}
	const containerNames = containers.all.map(({ metadata }): [string, string] => {
		const pod = podNames.get(metadata.sandboxId) ?? `pod sandbox ${metadata.sandboxId.slice(0, 13)}`;
		return [metadata.id, `container ${metadata.config.metadata?.name ?? ''} of ${pod}`];
	});
	return {
		sandboxes: new Set(sandboxes.owned.map(({ metadata }) => metadata.id)),
		containers: new Set(containers.owned.map(({ metadata }) => metadata.id)),
		pods: new Set(sandboxes.owned.map(({ metadata }) => metadata.config.metadata?.uid ?? '')),
		sandboxOf: new Map(containers.all.map(({ metadata }) => [metadata.id, metadata.sandboxId])),
		names: new Map([...podNames, ...containerNames]),
		unfinished: [...sandboxes.unfinished, ...containers.unfinished],
	};
}

/** Whether a text (a path, a name, an id or a short one, a pod's uid) tells of something that a record owns. */
export function isOwned({ sandboxes, containers, pods }: Owned, text: string): boolean {
	const ids = [...sandboxes, ...containers];
	const isShort = /^[0-9a-f]{13,}$/.test(text) && ids.some((id) => id.startsWith(text));
	return isShort || ids.some((id) => text.includes(id)) || pods.has(text);
}

const podName = (metadata: { readonly namespace: string; readonly name: string } | null): string =>
	`pod ${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;

interface Read<T> {
	readonly all: readonly T[];
	readonly owned: readonly T[];
	readonly unfinished: readonly Unfinished[];
}

async function readSandboxes(folder: string, daemonRuns: boolean): Promise<Read<Sandbox>> {
	const { records, unreadable } = await new Records(folder, 'sandbox', sandboxShape, silentLog).look();
	const lost = await Promise.all(unreadable.map((each) => unknownSandbox(each, join(folder, each.id))));
	return await judged('sandbox', folder, daemonRuns, records, unreadable, lost);
}

async function readContainers(folder: string, daemonRuns: boolean): Promise<Read<Container>> {
	const { records, unreadable } = await new Records(folder, 'container', containerShape, silentLog).look();
	const lost = await Promise.all(unreadable.map((each) => unknownContainer(each, join(folder, each.id))));
	return await judged('container', folder, daemonRuns, records, unreadable, lost);
}

/**
 * A daemon that runs owns everything that has a folder: it lists what it cannot read, and is making or removing the
 * rest right now. Without one, what is not whole is owned by nobody.
 */
async function judged<T>(
	kind: Unfinished['kind'],
	folder: string,
	daemonRuns: boolean,
	records: readonly StoredRecord<T>[],
	unreadable: readonly UnreadableRecord[],
	lost: readonly T[],
): Promise<Read<T>> {
	const made = records.filter(({ phase }) => phase === 'made');
	const half = records.filter(({ phase }) => phase !== 'made');
	const all = [...records.map(({ value }) => value), ...lost];
	const unfinished = [
		...unreadable.map(({ id, why }) => ({ id, why, state: 'unreadable' as const })),
		...(daemonRuns ? [] : half).map(({ id, phase }) => ({
			id,
			state: phase === 'making' ? ('half-made' as const) : ('half-removed' as const),
			why: `the daemon ended while this ${kind} was being ${phase === 'making' ? 'made' : 'removed'}`,
		})),
	];
	return {
		all,
		owned: daemonRuns ? all : made.map(({ value }) => value),
		unfinished: await Promise.all(
			unfinished.map(async (each) => {
				const path = join(folder, each.id);
				return { kind, folder: path, sinceMs: (await modifiedMs(path)) ?? Date.now(), ...each };
			}),
		),
	};
}

/** When a file or folder was last changed; undefined when it is gone. */
export async function modifiedMs(path: string): Promise<number | undefined> {
	return (await stat(path).catch(() => undefined))?.mtimeMs;
}

/** Names in a folder; none when there is no such folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
	try {
		return (await readdir(folder)).toSorted();
	} catch (error) {
		if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
		throw error;
	}
}
