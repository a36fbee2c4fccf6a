import type { Surroundings } from './surroundings.ts';

/** Files that a container has deleted and holds open are saved with it up to this size. */
const DELETED_FILES_MAX = '256M';

/** What both directions agree on: cgroups are ours; connections come back closed; sockets of others stay theirs. */
const COMMON: readonly string[] = [
	'--manage-cgroups=ignore',
	'--tcp-close',
	'--ext-unix-sk',
	'--file-locks',
	'-v4',
];

export interface DumpArguments {
	readonly criu: string;
	readonly pid: number;
	/** Folder of the images; the log goes to `work`. */
	readonly images: string;
	readonly work: string;
	/** Folder of the frozen cgroup. */
	readonly freezer: string;
	readonly surroundings: Surroundings;
}

/** `criu dump`: the processes are left as they were found, frozen or running. */
export function dumpArguments({ criu, pid, images, work, freezer, surroundings }: DumpArguments): string[] {
	const file = surroundings.stdin.startsWith('file[') ? ['--external', surroundings.stdin] : [];
	return [
		...[
			criu,
			'dump',
			'--tree',
			String(pid),
			'--images-dir',
			images,
			'--work-dir',
			work,
			'--log-file',
			'dump.log',
		],
		...['--leave-running', '--freeze-cgroup', freezer, '--ghost-limit', DELETED_FILES_MAX, ...COMMON],
		...file,
		...surroundings.mounts.flatMap((point) => ['--external', `mnt[${point}]:${point}`]),
	];
}

export interface RestoreArguments {
	readonly criu: string;
	readonly images: string;
	readonly work: string;
	readonly pidFile: string;
	/** Where the plan has made the root of the container, on the host. */
	readonly root: string;
	/** Where the mounts of the surroundings are, by their number. */
	readonly mounts: string;
	readonly surroundings: Surroundings;
}

/** `criu restore`: the process becomes a sibling of CRIU's, stopped. Its streams are CRIU's own. */
export function restoreArguments({
	criu,
	images,
	work,
	pidFile,
	root,
	mounts,
	surroundings,
}: RestoreArguments): string[] {
	const { stdin, stdout, stderr } = surroundings;
	const streams = [stdin, stdout, stderr].flatMap((name, fd) =>
		name === '' ? [] : ['--inherit-fd', `fd[${fd}]:${name}`],
	);
	return [
		...[criu, 'restore', '--images-dir', images, '--work-dir', work, '--log-file', 'restore.log'],
		...[
			'--root',
			root,
			'--restore-detached',
			'--restore-sibling',
			'--leave-stopped',
			'--pidfile',
			pidFile,
			...COMMON,
		],
		...streams,
		...surroundings.mounts.flatMap((point, index) => ['--external', `mnt[${point}]:${mounts}/${index}`]),
	];
}
