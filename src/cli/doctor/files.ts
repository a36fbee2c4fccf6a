import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { isHalfWritten } from '#base/atomic-file.ts';
import { REMOVED } from '../../store/records.ts';
import type { Finding } from './finding.ts';
import { isOwned, modifiedMs, namesIn, type Scene } from './scene.ts';

/** Folders, sockets and half-written files of ours without an owner. */
export async function findFiles(scene: Scene): Promise<readonly Finding[]> {
	const found = await Promise.all([
		lostFolders(scene),
		removedLayers(scene),
		lostSockets(scene),
		halfWritten(scene),
	]);
	return found.flat();
}

interface Place {
	readonly folder: string;
	readonly kind: string;
	readonly owners: ReadonlySet<string>;
	readonly why: string;
	readonly fix: string;
}

async function lostFolders({ config, owned }: Scene): Promise<readonly Finding[]> {
	const { root, state } = config;
	const places: readonly Place[] = [
		{
			folder: join(root, 'containers'),
			kind: 'writable layer',
			owners: owned.containers,
			why: 'no container has it; it holds what one wrote',
			fix: 'removes it for good; image layers below it stay',
		},
		{
			folder: join(root, 'sandboxes'),
			kind: 'files of a pod',
			owners: owned.sandboxes,
			why: 'no sandbox has them (resolv.conf, hosts, hostname)',
			fix: 'removes them',
		},
		{
			folder: join(root, 'pods'),
			kind: 'volumes and logs',
			owners: owned.pods,
			why: 'no pod has them; "gantry run" made them for one',
			fix: 'removes them for good',
		},
		{
			folder: join(state, 'pods'),
			kind: 'memory volumes',
			owners: owned.pods,
			why: 'no pod has them; "gantry run" made them for one',
			fix: 'removes them for good, and frees the memory',
		},
	];
	const findings = places.map(async ({ folder, kind, owners, why, fix }) => {
		const names = (await namesIn(folder)).filter((name) => !owners.has(name) && !name.startsWith(REMOVED));
		return await Promise.all(
			names.map(async (name) => {
				const path = join(folder, name);
				return { ...(await onDisk(kind, path, why, fix)), owner: name, ownerName: await hostName(path) };
			}),
		);
	});
	return (await Promise.all(findings)).flat();
}

/** What removed containers wrote, which leaves the disk behind the answers. */
async function removedLayers({ config, daemonRuns }: Scene): Promise<readonly Finding[]> {
	const folder = join(config.root, 'containers');
	const names = (await namesIn(folder)).filter((name) => name.startsWith(REMOVED));
	const who = daemonRuns ? 'the daemon is still removing it' : 'the daemon ended before all of it was gone';
	const why = `it holds what a removed container wrote; ${who}`;
	return await Promise.all(
		names.map((name) => onDisk('removed layer', join(folder, name), why, 'removes what is left of it')),
	);
}

/** Longest host name of the kernel's. */
const HOST_NAME_BYTES = 64;

/**
 * A pod's host name, in words; the files of a lost pod tell no more of it. Its containers may have written anything
 * there, of any length: whoever reads this at a terminal is to see a name or nothing.
 */
async function hostName(folder: string): Promise<string> {
	const name = (await beginningOf(join(folder, 'hostname'))).trim();
	return /^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/.test(name) ? `the pod with host name ${name}` : '';
}

async function beginningOf(path: string): Promise<string> {
	try {
		await using file = await open(path);
		const { buffer, bytesRead } = await file.read(Buffer.alloc(HOST_NAME_BYTES + 1));
		return buffer.toString('utf8', 0, bytesRead);
	} catch {
		return '';
	}
}

async function lostSockets({ config, owned, daemonRuns }: Scene): Promise<readonly Finding[]> {
	const folder = join(config.state, 'shims');
	const names = (await namesIn(folder)).filter((name) => !isOwned(owned, name.replace(/\.sock$/, '')));
	const shims = names.map(async (name) => ({
		...(await onDisk('socket', join(folder, name), 'no sandbox has it', 'removes it')),
		owner: name.replace(/\.sock$/, ''),
	}));
	const paths = [config.listen.replace(/^unix:\/\//, ''), join(config.state, 'hook.sock')];
	const daemons = (daemonRuns ? [] : paths).map((path) =>
		onDisk('socket', path, 'no daemon runs that would answer at it', 'removes it'),
	);
	const found = await Promise.all([...shims, ...daemons]);
	return found.filter(({ sinceMs }) => sinceMs !== undefined);
}

async function halfWritten({ config }: Scene): Promise<readonly Finding[]> {
	const { root, state } = config;
	const images = join(root, 'images');
	const folders = [
		...[state, join(root, 'cni/attachments'), images],
		...['images', 'leases'].map((name) => join(images, name)),
		...(await below(join(state, 'sandboxes'))),
		...(await below(join(state, 'containers'))),
	];
	const found = folders.map(async (folder) => {
		const names = (await namesIn(folder)).filter(isHalfWritten);
		const why = 'whoever wrote it ended before it was whole; nobody will read it';
		return await Promise.all(
			names.map((name) => onDisk('temporary file', join(folder, name), why, 'removes it')),
		);
	});
	return (await Promise.all(found)).flat();
}

const below = async (folder: string): Promise<readonly string[]> =>
	(await namesIn(folder)).map((name) => join(folder, name));

async function onDisk(kind: string, path: string, why: string, fix: string): Promise<Finding> {
	const sinceMs = await modifiedMs(path);
	return {
		kind,
		name: path,
		owner: '',
		why,
		fix,
		sinceMs,
		remedy: `rm -r ${path}`,
		removal: { how: 'tree', path },
	};
}
