/** How much of CRIU's log is quoted. */
const QUOTED_LINES = 3;

/** Complaints that are no failure: on a machine without CAP_SYS_RESOURCE CRIU goes on with the limit that it has. */
const HARMLESS = /Can't setup RLIMIT_NOFILE for self/;

/** What CRIU's log, or its standard error, says went wrong: `mnt: No mapping for 114:… mountpoint; Restoring FAILED.` */
export function errorsIn(log: string): string {
	const errors = log
		.split('\n')
		.map((line) => /\bError \([^)]*\): (.*)$/.exec(line)?.[1]?.trim() ?? '')
		.filter((words) => words !== '' && !HARMLESS.test(words));
	// The first is the cause, the last what became of it.
	const quoted =
		errors.length <= QUOTED_LINES ? errors : [...errors.slice(0, QUOTED_LINES - 1), errors.at(-1)];
	return quoted.join('; ');
}
