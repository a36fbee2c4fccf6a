import { fromSystemError, internal, resourceExhausted } from '#base/errors.ts';
import type { Launcher } from '#runtime';
import type { Deadline } from './deadline.ts';

/** GNU tar: owners, devices, hard links, holes and extended attributes as they are. */
const TAR = '/bin/tar';
const AS_IT_IS = ['--numeric-owner', '--xattrs', '--xattrs-include=*'];

export interface PackOptions {
	readonly folder: string;
	readonly archive: string;
	/** What is left out, one path relative to the folder in each line (`./a/b`). */
	readonly excludeFile?: string;
}

/** Packs all that is in a folder; a missing program, no room and no time are errors that say so. */
export async function pack(
	launcher: Launcher,
	{ folder, archive, excludeFile }: PackOptions,
	deadline: Deadline,
): Promise<void> {
	const exclude =
		excludeFile === undefined ? [] : ['--anchored', '--no-wildcards', `--exclude-from=${excludeFile}`];
	const options = ['--create', '--sparse', '--one-file-system', ...AS_IT_IS, ...exclude];
	await run(
		launcher,
		`pack ${folder}`,
		[...options, '--file', archive, '--directory', folder, '.'],
		deadline,
	);
}

/** The inverse, into a folder that is there. */
export async function unpack(
	launcher: Launcher,
	{ folder, archive }: PackOptions,
	deadline: Deadline,
): Promise<void> {
	const options = ['--extract', '--same-owner', '--same-permissions', ...AS_IT_IS];
	await run(launcher, `unpack ${archive}`, [...options, '--file', archive, '--directory', folder], deadline);
}

async function run(
	launcher: Launcher,
	what: string,
	options: readonly string[],
	deadline: Deadline,
): Promise<void> {
	const argv = [TAR, ...options];
	// Files are made with the modes that the archive says.
	const ran = await launcher
		.run({ argv, env: ['PATH=/usr/bin:/bin', 'LC_ALL=C'], timeoutMs: deadline.remainingMs })
		.catch((error: unknown) => {
			throw fromSystemError(`Cannot ${what} with ${TAR} (install GNU tar)`, error);
		});
	if (ran.timedOut) deadline.throwOver(what);
	if (ran.exitCode === 0) return;
	const why = ran.stderr.toString().trim().split('\n').slice(0, 3).join('; ');
	const make = /No space left on device/.test(why) ? resourceExhausted : internal;
	throw make(`Cannot ${what}: ${why || `tar ended with ${ran.exitCode}`}`);
}
