import { readFile } from 'node:fs/promises';
import type { Finding } from './finding.ts';
import { isOwned, type Scene } from './scene.ts';

/** Mounts below the state and root folders that belong to no living object (namespace files of CNI, what a crash left). */
export async function findMounts(scene: Scene): Promise<readonly Finding[]> {
	const points = mountPoints(await readFile('/proc/self/mountinfo', 'utf8'));
	const { root, state } = scene.config;
	const ours = points.filter((point) => [root, state].some((folder) => point.startsWith(`${folder}/`)));
	const lost = ours.filter((point) => !isOwned(scene.owned, point));
	// The deepest first: that is the order in which they can be taken away.
	return lost.toReversed().map((path) => ({
		kind: 'mount',
		name: path,
		why: 'no living sandbox or container has it',
		owner: /[0-9a-f]{64}/.exec(path)?.[0] ?? '',
		sinceMs: undefined,
		remedy: `umount -l ${path}`,
		removal: { how: 'unmount', path },
	}));
}

/** The fifth field of each line of mountinfo(5), with its octal escapes undone. */
export function mountPoints(mountinfo: string): readonly string[] {
	const lines = mountinfo.split('\n').filter((line) => line !== '');
	return lines.map((line) =>
		(line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
			String.fromCharCode(Number.parseInt(octal, 8)),
		),
	);
}
