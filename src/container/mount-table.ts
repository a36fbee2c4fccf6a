import { readFile } from 'node:fs/promises';
import { isWithin } from '#base/paths.ts';

/** One mount of the node, as far as propagation is concerned. */
export interface HostMount {
	readonly path: string;
	readonly shared: boolean;
	readonly slave: boolean;
}

/** Parses /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export function parseMountInfo(text: string): readonly HostMount[] {
	return text.split('\n').flatMap((line) => {
		const [fields = ''] = line.split(' - ');
		const [, , , , path, , ...tags] = fields.split(' ');
		if (path === undefined) return [];
		return [
			{
				path: unescapeOctal(path),
				shared: tags.some((tag) => tag.startsWith('shared:')),
				slave: tags.some((tag) => tag.startsWith('master:')),
			},
		];
	});
}

/** The mount that a path lies on: the one with the longest path; of several at one place the last. */
export function mountOf(path: string, mounts: readonly HostMount[]): HostMount | undefined {
	let found: HostMount | undefined;
	for (const mount of mounts) {
		if (!isWithin(path, mount.path)) continue;
		if (found === undefined || mount.path.length >= found.path.length) found = mount;
	}
	return found;
}

/** The mounts of the daemon's own namespace. */
export async function readMounts(): Promise<readonly HostMount[]> {
	return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** Space, tab, newline and backslash stand as octal. */
function unescapeOctal(path: string): string {
	return path.replace(/\\([0-7]{3})/g, (_match, digits: string) =>
		String.fromCharCode(Number.parseInt(digits, 8)),
	);
}
