import { readFile } from 'node:fs/promises';
import type { Finding } from './finding.ts';
import { isOwned, type Scene } from './scene.ts';

/**
 * Mounts below the state and root folders that belong to no living object; namespace files are the network's to tell.
 * One that a person made, of a whole folder such as ROOT/images, is nobody's leftover.
 */
export async function findMounts(scene: Scene): Promise<readonly Finding[]> {
	const points = mountPoints(await readFile('/proc/self/mountinfo', 'utf8'));
	const { root, state } = scene.config;
	const partsOf = (point: string): readonly string[] | undefined => {
		const folder = [root, state].find((each) => point.startsWith(`${each}/`));
		return folder === undefined ? undefined : point.slice(folder.length + 1).split('/');
	};
	const lost = points.filter((point) => {
		const parts = partsOf(point) ?? [];
		return parts.length > 1 && parts[0] !== 'netns' && !parts.some((part) => isOwned(scene.owned, part));
	});
	// The deepest first: that is the order in which they can be taken away.
	return lost.toReversed().map((path) => ({
		kind: 'mount',
		name: path,
		why: 'no living sandbox or container has it, and it holds what is mounted in memory or on disk',
		owner: /[0-9a-f]{64}/.exec(path)?.[0] ?? '',
		sinceMs: undefined,
		fix: 'unmounts it, removes the mount point, and leaves what was mounted alone',
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
