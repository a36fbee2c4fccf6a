/** What an instance has on the machine, found without asking the daemon's own code. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
	addressesOf,
	cgroupsNamed,
	foldersIn,
	links,
	mountTables,
	namesIn,
	type ProcessLook,
	processes,
	read,
	tables,
	tableTargets,
} from './machine.ts';

/** Everything of an instance that is still there, as `kind name`. Empty after a clean stop without pods. */
export function leftoversOf(instance: string, folder: string): string[] {
	const ours = processes().filter(({ pid, words }) => pid !== process.pid && isOf(words, instance, folder));
	return [
		...mountPointsBelow(folder).map((path) => `mount ${path}`),
		...cgroupsOf(instance).map((path) => `cgroup ${path}`),
		...linksOf(instance).map(({ name }) => `link ${name}`),
		...tablesOf(instance).map((table) => `nftables ${table}`),
		...profilesOf(instance).map((name) => `AppArmor profile ${name}`),
		...ours.map(({ pid, words }) => `process ${pid} ${words.join(' ')}`),
	];
}

/** What is known to live in an instance. */
export interface Living {
	readonly instance: string;
	/** Holds the folders `root` and `state`. */
	readonly folder: string;
	/** Ids. */
	readonly sandboxes: readonly string[];
	readonly containers: readonly string[];
	/** Uids of pods that `gantry run` started. */
	readonly pods?: readonly string[];
}

/**
 * Everything of an instance, while its daemon runs or not, that belongs to nothing of what lives, as `kind name`.
 * To be asked while no call is under way: what is being made right now belongs to nothing yet.
 */
export function strangersOf(living: Living): string[] {
	const all = processes();
	return [
		...strangeProcesses(living, all),
		...strangeCgroups(living),
		...strangeMounts(living),
		...strangeLinks(living),
		...strangeAddresses(living, all),
		...strangeFiles(living),
		...strangeLeases(living),
	];
}

const LOOKS = 40;

/** The same, when what goes on behind the answers has ended: what removed containers wrote, the work of a killed launcher. */
export async function lastingStrangersOf(living: Living): Promise<string[]> {
	for (let look = 0; look < LOOKS && strangersOf(living).length > 0; look++) await sleep(50);
	return strangersOf(living);
}

/** Whether a text names what lives: its id, or the twenty digits of it that a socket's name has. */
function names({ sandboxes, containers }: Living, text: string): boolean {
	return [...sandboxes, ...containers].some((id) => text.includes(id.slice(0, 20)));
}

function strangeProcesses(living: Living, all: readonly ProcessLook[]): string[] {
	const { instance, folder } = living;
	const isDaemon = ({ pid, words }: ProcessLook): boolean =>
		pid === process.pid || words.includes(join(folder, 'state'));
	const daemons = new Set(all.filter(isDaemon).map(({ pid }) => pid));
	const isLauncher = ({ parent, words }: ProcessLook): boolean =>
		words[1] === 'launcher' && daemons.has(parent);
	const own = new RegExp(`^/${instance}(-system)?(/|$)|/${instance}-[0-9a-f]{64}`);
	return all
		.filter(({ words, cgroups }) => isOf(words, instance, folder) || cgroups.some((path) => own.test(path)))
		.filter((look) => !isDaemon(look) && !isLauncher(look))
		.filter(({ words, cgroups }) => !names(living, `${words.join(' ')} ${cgroups.join(' ')}`))
		.map(({ pid, words, cgroups }) => `process ${pid} ${words.join(' ')} in ${cgroups.join(' ')}`);
}

function strangeCgroups(living: Living): string[] {
	const { instance } = living;
	const found = cgroupsOf(instance);
	const inside = found
		.filter((path) => basename(path) === instance)
		.flatMap((path) => foldersIn(path).flatMap((name) => strangeBelow(living, join(path, name))));
	const wholes = [instance, `${instance}-system`];
	return [...found.filter((path) => !wholes.includes(basename(path)) && !names(living, path)), ...inside].map(
		(path) => `cgroup ${path}`,
	);
}

/** Where pods have their cgroups: a pod whose process has ended keeps its parent until it is removed. */
function parentsOf({ folder, sandboxes }: Living): string[] {
	const records = sandboxes.map((id) => read(join(folder, 'state/sandboxes', id, 'record.json')));
	return records.flatMap((text) => /"cgroupParent":"(\/[^"]+)"/.exec(text)?.[1] ?? []);
}

/** A cgroup that names nothing that lives, and has none below it that does; the parent of a living pod is no stranger. */
function strangeBelow(living: Living, path: string): string[] {
	if (names(living, path) || parentsOf(living).some((parent) => path.endsWith(parent))) return [];
	const below = foldersIn(path).map((name) => join(path, name));
	const strange = below.flatMap((child) => strangeBelow(living, child));
	const holdsLiving = below.some((child) => !strange.includes(child));
	return holdsLiving ? strange : [path];
}

/** In the mount namespace of the daemon: below its folders. In the others: whatever names an object that does not live. */
function strangeMounts(living: Living): string[] {
	const { folder } = living;
	const whole = ['', 'root', 'state', 'root/images', 'root/containers'].map((name) => join(folder, name));
	const here = mountPointsBelow(folder).filter((path) => !whole.includes(path) && !names(living, path));
	const elsewhere = mountTables()
		.slice(1)
		.flatMap(({ pid, lines }) =>
			lines
				.filter((line) => line.includes(`${basename(folder)}/`))
				.filter((line) => /(sandboxes|containers|netns)\/[0-9a-f]{64}/.test(line) && !names(living, line))
				.map((line) => `mount ${line} of process ${pid}`),
		);
	return [...here.map((path) => `mount ${path}`), ...elsewhere];
}

function strangeLinks(living: Living): string[] {
	const bridge = `${living.instance}0`;
	const ports = linksOf(living.instance).filter(({ name }) => name !== bridge);
	const owners = ports.map(({ alias }) => alias.split(':')[2] ?? '');
	return ports
		.filter((_, index) => {
			const owner = owners[index] ?? '';
			return !living.sandboxes.includes(owner) || owners.indexOf(owner) !== index;
		})
		.map(({ name, alias }) => `link ${name} (${alias})`);
}

/**
 * Host ports that lead to addresses which no pod has, and addresses that several have. A pod whose process has ended
 * has no address any more, but keeps its host ports until it is stopped.
 */
function strangeAddresses(living: Living, all: readonly ProcessLook[]): string[] {
	const { instance, sandboxes } = living;
	const addresses = sandboxes.flatMap((id) => {
		const member = all.find(({ cgroups }) => cgroups.some((path) => path.endsWith(`/${instance}-${id}`)));
		return member === undefined ? [] : addressesOf(member.pid);
	});
	const twice = addresses.filter((address, index) => addresses.indexOf(address) !== index);
	const targets = tablesOf(instance).flatMap((table) => tableTargets(table));
	const livingOwner = (comment: string): boolean =>
		sandboxes.some((id) => comment !== '' && id.startsWith(comment.split(' ')[0] ?? ''));
	const nowhere = targets.filter(
		({ address, comment }) => !addresses.includes(address) && !livingOwner(comment),
	);
	return [
		...twice.map((address) => `address ${address} of several pods`),
		...nowhere.map(({ address, port }) => `host port to ${address} ${port}`),
	];
}

/** Names with the digits of an id that does not live, half-written files, half-removed folders. */
function strangeFiles(living: Living): string[] {
	const { folder, pods = [] } = living;
	const isStrange = (path: string): boolean => {
		const name = basename(path);
		if (/\.tmp$|^\.removed-/.test(name)) return true;
		if (basename(join(path, '..')) === 'pods') return !pods.includes(name) && !names(living, name);
		return !path.includes('/root/images/') && /[0-9a-f]{20}/.test(name) && !names(living, name);
	};
	const files = [...below(join(folder, 'state')), ...below(join(folder, 'root'))].filter(isStrange);
	const layers = namesIn(join(folder, 'root/images/snapshots'))
		.map((name) => join(folder, 'root/images/snapshots', name))
		.filter((path) => !existsSync(join(path, 'layer.json')));
	return [...files, ...layers].map((path) => `file ${path}`);
}

/** Paths below a folder, but not into the files of layers, containers and pods. */
function below(folder: string): string[] {
	return namesIn(folder).flatMap((name) => {
		const path = join(folder, name);
		const opaque = /\/(root\/containers\/[^/]+|images\/snapshots\/[^/]+\/fs|pods\/[^/]+|bundle\/rootfs)$/;
		return [path, ...(opaque.test(path) ? [] : below(path))];
	});
}

function strangeLeases(living: Living): string[] {
	const folder = join(living.folder, 'root/images/leases');
	return namesIn(folder)
		.map((name) => ({ name, text: read(join(folder, name)) }))
		.filter(({ text }) => !names(living, text))
		.map(({ name, text }) => `lease ${name} ${text}`);
}

function mountPointsBelow(folder: string): string[] {
	const [here] = mountTables();
	return (here?.lines ?? [])
		.map((line) => line.split(' ')[4] ?? '')
		.filter((path) => path === folder || path.startsWith(`${folder}/`));
}

const cgroupsOf = (instance: string): string[] =>
	cgroupsNamed((name) => name === instance || name.startsWith(`${instance}-`));

function linksOf(instance: string): ReturnType<typeof links> {
	const bridge = `${instance}0`;
	return links().filter(
		(link) => link.name === bridge || link.bridge === bridge || link.alias.startsWith(`gantry:${instance}:`),
	);
}

const tablesOf = (instance: string): string[] =>
	tables().filter((table) => table.endsWith(` gantry-${instance}`));

/** Lines such as `NAME (enforce)`. */
const profilesOf = (instance: string): string[] =>
	read('/sys/kernel/security/apparmor/profiles')
		.split('\n')
		.filter((line) => line.startsWith(`${instance}-`));

const isOf = (words: readonly string[], instance: string, folder: string): boolean =>
	words.some(
		(word, index) =>
			(words[index - 1] === '--instance' && word === instance) || word.startsWith(`${folder}/`),
	);
