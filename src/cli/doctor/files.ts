import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from './finding.ts';
import { namesIn, type Scene } from './scene.ts';

/** Folders, sockets and half-written files of ours without an owner. */
export async function findFiles(scene: Scene): Promise<readonly Finding[]> {
	return [...brokenRecords(scene), ...(await lostFolders(scene)), ...(await lostSockets(scene))];
}

function brokenRecords({ owned, daemonRuns }: Scene): readonly Finding[] {
	return owned.broken.map(({ kind, id, folder, why, sinceMs }) => ({
		kind: `${kind} folder`,
		name: folder,
		why,
		owner: id,
		sinceMs,
		remedy: daemonRuns ? `crictl ${kind === 'sandbox' ? 'rmp -f' : 'rm -f'} ${id}` : `rm -r ${folder}`,
		removal: { how: 'tree', path: folder },
	}));
}

async function lostFolders({ config, owned }: Scene): Promise<readonly Finding[]> {
	const places = [
		{
			folder: join(config.root, 'containers'),
			kind: 'writable layer',
			owners: owned.containers,
			why: 'no container has it',
		},
		{
			folder: join(config.root, 'sandboxes'),
			kind: 'files of a pod',
			owners: owned.sandboxes,
			why: 'no sandbox has them',
		},
		{
			folder: join(config.root, 'pods'),
			kind: 'volumes and logs',
			owners: owned.pods,
			why: 'no pod has them',
		},
		{
			folder: join(config.state, 'pods'),
			kind: 'memory volumes',
			owners: owned.pods,
			why: 'no pod has them',
		},
	];
	const findings: Finding[] = [];
	for (const { folder, kind, owners, why } of places) {
		for (const name of await namesIn(folder)) {
			if (!owners.has(name)) findings.push(await lost(kind, join(folder, name), why, name));
		}
	}
	return findings;
}

async function lostSockets({ config, owned, daemonRuns }: Scene): Promise<readonly Finding[]> {
	const folder = join(config.state, 'shims');
	const beginnings = new Set([...owned.sandboxes].map((id) => id.slice(0, 20)));
	const shims = (await namesIn(folder)).filter((name) => !beginnings.has(name.replace(/\.sock$/, '')));
	const findings = await Promise.all(
		shims.map((name) => lost('socket', join(folder, name), 'no sandbox has it', '')),
	);
	if (daemonRuns) return findings;
	const daemons = [config.listen.replace(/^unix:\/\//, ''), join(config.state, 'hook.sock')];
	const stale = await Promise.all(
		daemons.map((path) => lost('socket', path, 'no daemon runs', '').catch(() => undefined)),
	);
	return [...findings, ...stale.filter((finding) => finding !== undefined)];
}

async function lost(kind: string, path: string, why: string, owner: string): Promise<Finding> {
	const { mtimeMs } = await stat(path);
	return {
		kind,
		name: path,
		why,
		owner,
		sinceMs: mtimeMs,
		remedy: `rm -r ${path}`,
		removal: { how: 'tree', path },
	};
}
