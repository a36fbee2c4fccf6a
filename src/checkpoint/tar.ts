import { fromSystemError, internal, invalidArgument, resourceExhausted } from '#base/errors.ts';
import type { Launcher, ProgramResult } from '#runtime';
import type { Deadline } from './deadline.ts';

/** GNU tar: owners, devices, hard links, holes and extended attributes as they are. */
const TAR = '/bin/tar';
const AS_IT_IS = ['--numeric-owner', '--xattrs', '--xattrs-include=*'];

/** Nothing below a folder, and no attributes. */
const FLAT = ['--numeric-owner', '--skip-old-files', '--anchored', '--wildcards', '--exclude=./*/*'];

/** "file changed as we read it", and no other complaint. */
const CHANGED = 1;

export interface PackOptions {
	readonly folder: string;
	readonly archive: string;
	/** A file with what is packed, paths relative to the folder (`./a/b`) that end with a zero byte; else everything. */
	readonly namesFile?: string;
	/**
	 * Unpacked to where others write meanwhile: what is there already stays as it is, and folders come empty. tar follows
	 * a link that takes the place of a folder on the way to a file, and when it sets attributes; it follows none besides.
	 */
	readonly amongOthers?: boolean;
	/** Others than those who are frozen may write meanwhile. */
	readonly mayChange?: boolean;
}

/** Packs all that is in a folder; a missing program, no room and no time are errors that say so. */
export async function pack(
	launcher: Pick<Launcher, 'run'>,
	{ folder, archive, namesFile, mayChange = false }: PackOptions,
	deadline: Deadline,
): Promise<void> {
	const names =
		namesFile === undefined
			? ['.']
			: ['--no-recursion', '--null', '--no-unquote', `--files-from=${namesFile}`];
	const options = ['--create', '--sparse', '--one-file-system', ...AS_IT_IS];
	const argv = [...options, '--file', archive, '--directory', folder, ...names];
	await run(launcher, `pack ${folder}`, argv, deadline, mayChange ? [0, CHANGED] : [0]);
}

/** The inverse, into a folder that is there. */
export async function unpack(
	launcher: Pick<Launcher, 'run'>,
	{ folder, archive, amongOthers = false }: PackOptions,
	deadline: Deadline,
): Promise<void> {
	const how = amongOthers ? FLAT : AS_IT_IS;
	const options = ['--extract', '--same-owner', '--same-permissions', ...how];
	await run(launcher, `unpack ${archive}`, [...options, '--file', archive, '--directory', folder], deadline);
}

/** The text of one file of an archive; '' when it has none of that name. At most 16 MiB. INVALID_ARGUMENT when it is none. */
export async function readPacked(
	launcher: Pick<Launcher, 'run'>,
	{ archive, name }: { readonly archive: string; readonly name: string },
	deadline: Deadline,
): Promise<string> {
	const argv = ['--extract', '--to-stdout', '--file', archive, name];
	const what = `read ${name} of ${archive}`;
	const ran = await run(launcher, what, argv, deadline, [0, FATAL], MOST_BYTES);
	if (ran.truncated) throw invalidArgument(`${name} of ${archive} has more than ${MOST_BYTES} bytes`);
	if (ran.exitCode === 0) return ran.stdout.toString();
	const why = complaintOf(ran);
	if (NO_ARCHIVE.test(why)) throw invalidArgument(`Cannot ${what}: ${why}`);
	if (ONLY_MISSING.test(why)) return '';
	throw internal(`Cannot ${what}: ${why}`);
}

const FATAL = 2;
const NO_ARCHIVE =
	/does not look like a tar archive|Unexpected EOF|unexpected end of file|Skipping to next header/;
/** The first that it complains of. */
const ONLY_MISSING = /^[^;]*: Not found in archive/;
const MOST_BYTES = 16 * 1024 * 1024;

async function run(
	launcher: Pick<Launcher, 'run'>,
	what: string,
	options: readonly string[],
	deadline: Deadline,
	good: readonly number[] = [0],
	maxOutputBytes?: number,
): Promise<ProgramResult> {
	const argv = [TAR, ...options];
	// Files are made with the modes that the archive says.
	const ran = await launcher
		.run({
			argv,
			env: ['PATH=/usr/bin:/bin', 'LC_ALL=C'],
			timeoutMs: deadline.remainingMs,
			...(maxOutputBytes && { maxOutputBytes }),
		})
		.catch((error: unknown) => {
			throw fromSystemError(`Cannot ${what} with ${TAR} (install GNU tar)`, error);
		});
	if (ran.timedOut) deadline.throwOver(what);
	if (good.includes(ran.exitCode)) return ran;
	const why = complaintOf(ran);
	const make = /No space left on device/.test(why) ? resourceExhausted : internal;
	throw make(`Cannot ${what}: ${why}`);
}

const complaintOf = ({ stderr, exitCode }: ProgramResult): string =>
	stderr.toString().trim().split('\n').slice(0, 3).join('; ') || `tar ended with ${exitCode}`;
