/** How much of CRIU's log is quoted. */
const QUOTED_LINES = 3;

/**
 * Complaints that are no failure: without CAP_SYS_RESOURCE CRIU goes on with the limit that it has; a container's
 * devices need no tun; its cgroup helper tells of the end of everything.
 */
const HARMLESS = /Can't setup RLIMIT_NOFILE for self|Unable to create tun|cgroupd: recv req error/;

/** What to do about messages that do not say it. */
const HINTS: readonly (readonly [RegExp, string])[] = [
	[
		/Can't get rlimit \d+: Operation not permitted/,
		'without CAP_SYS_RESOURCE only processes of root can be saved; give it to the daemon',
	],
	[
		/(?:Can't|Cannot) (?:open|restore) .*No such file|has bad mode|has bad size/i,
		'a restored container needs the files and volumes that it had',
	],
];

/** What CRIU's log, or its standard error, says went wrong: `mnt: No mapping for 114:… mountpoint; Restoring FAILED.` */
export function errorsIn(log: string): string {
	const errors = log
		.split('\n')
		.map((line) => /\bError \([^)]*\): (.*)$/.exec(line)?.[1]?.trim() ?? '')
		.filter((words) => words !== '' && !HARMLESS.test(words));
	// The first is the cause, the last what became of it.
	const quoted =
		errors.length <= QUOTED_LINES ? errors : [...errors.slice(0, QUOTED_LINES - 1), errors.at(-1)];
	const hint = HINTS.find(([says]) => errors.some((words) => says.test(words)));
	return [...quoted, ...(hint ? [hint[1]] : [])].join('; ');
}
