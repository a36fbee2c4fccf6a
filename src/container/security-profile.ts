import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { failedPrecondition, invalidArgument, messageOf, type StatusError } from '#base/errors.ts';
import type { SecurityProfile } from '#cri-api';
import { loadSeccompProfile, type OciSeccomp } from '#runtime';
import { profileChoice } from './profile-choice.ts';

/**
 * The system call filter of a container or sandbox. Without any choice there is none: the kubelet always chooses,
 * and the conformance suite asks for this.
 */
export async function seccompProfile(
	profile: SecurityProfile | null | undefined,
	deprecatedPath: string | undefined,
	options: {
		readonly defaultPath: string;
		readonly capabilities: readonly string[];
		/** Takes the place of what is at `defaultPath`. */
		readonly ownDefault?: OciSeccomp;
	},
): Promise<OciSeccomp | undefined> {
	const choice = profileChoice(profile, deprecatedPath, 'linux.security_context.seccomp');
	if (choice === undefined || choice.kind === 'unconfined') return undefined;
	if (choice.kind === 'localhost' && !choice.ref.startsWith('/')) {
		throw invalidArgument(`The seccomp profile ${JSON.stringify(choice.ref)} is not an absolute path`);
	}
	if (choice.kind === 'localhost') return await loaded(choice.ref, options.capabilities);
	if (options.ownDefault !== undefined) return options.ownDefault;
	try {
		return await loaded(options.defaultPath, options.capabilities);
	} catch (error) {
		// Nothing is wrong with the request.
		throw failedPrecondition(`The default of this node, runtime.seccomp_profile: ${messageOf(error)}`, {
			cause: error,
		});
	}
}

interface Loaded {
	/** Of the file that it was read from. */
	readonly stamp: string;
	readonly profile: OciSeccomp;
}

/** Parsing one takes longer than all else about it. By path and capabilities, which conditions in a profile look at. */
const known = new Map<string, Loaded>();
const MOST_PROFILES = 100;

async function loaded(path: string, capabilities: readonly string[]): Promise<OciSeccomp> {
	const key = [path, ...capabilities].join('\0');
	const stamp = stampOf(path);
	const before = known.get(key);
	if (before?.stamp === stamp) return before.profile;
	const conditions = { capabilities, arch: process.arch, kernel: release() };
	const text = await readFile(path, 'utf8').catch((error: unknown) => {
		throw unreadable(path, error);
	});
	const profile = parsed(path, () => loadSeccompProfile(text, conditions));
	if (known.size >= MOST_PROFILES) known.clear();
	known.set(key, { stamp, profile });
	return profile;
}

function parsed(path: string, parse: () => OciSeccomp): OciSeccomp {
	try {
		return parse();
	} catch (error) {
		throw invalidArgument(`Cannot use the seccomp profile ${path}: ${messageOf(error)}`, { cause: error });
	}
}

/** Far above what the kernel takes of a filter. */
const LIMIT_BYTES = 1024 * 1024;

/**
 * Changes when the file does. At once: the file is local, and looking takes less time than the way to a thread.
 * INVALID_ARGUMENT for what nobody should read: pipes, and files without end.
 */
function stampOf(path: string): string {
	const stats = statsOf(path);
	const { ino, size, mtimeNs, ctimeNs } = stats;
	if (!stats.isFile()) throw invalidArgument(`The seccomp profile ${path} is no regular file`);
	if (size > LIMIT_BYTES) {
		throw invalidArgument(
			`The seccomp profile ${path} is too large: it has ${size} bytes, and ${LIMIT_BYTES} are the most`,
		);
	}
	return [ino, size, mtimeNs, ctimeNs].join(' ');
}

function statsOf(path: string) {
	try {
		return statSync(path, { bigint: true });
	} catch (error) {
		throw unreadable(path, error);
	}
}

function unreadable(path: string, error: unknown): StatusError {
	return invalidArgument(`Cannot read the seccomp profile ${path}: ${messageOf(error)}`, { cause: error });
}
