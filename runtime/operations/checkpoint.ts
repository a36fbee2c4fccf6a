import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
	aborted,
	deadlineExceeded,
	internal,
	resourceExhausted,
	type StatusError,
	unimplemented,
} from '#base/errors.ts';
import { dumpArguments } from '../criu/arguments.ts';
import { CRIU_ENV } from '../criu/criu.ts';
import { errorsIn } from '../criu/messages.ts';
import { readSurroundings, type Surroundings } from '../criu/surroundings.ts';
import type { OciSpec } from '../oci/spec.ts';
import type { Cgroups, Launcher } from '../types.ts';

export interface CheckpointOptions {
	readonly id: string;
	readonly criu: string;
	/** The container's process, and the shim that has it. */
	readonly pid: number;
	readonly shimPid: number;
	readonly cgroupsPath: string;
	/** An empty folder: `checkpoint` with CRIU's images, `dump.log` and `stats-dump` are made in it. */
	readonly folder: string;
	/** CRIU is killed then, and with bad luck the process with it; 0: no limit. */
	readonly timeoutMs: number;
}

/** Namespaces that belong to the sandbox: CRIU works in them, and so does not save them. */
const SANDBOX_NAMESPACES = ['net', 'ipc', 'uts'];

/** UNIMPLEMENTED for what cannot be restored as it was. `what` follows "Cannot". */
export function checkCanCheckpoint(what: string, { process, linux, hooks }: OciSpec): void {
	const types = new Set(
		(linux?.namespaces ?? []).filter(({ path }) => path === undefined).map(({ type }) => type),
	);
	const isJoined = (linux?.namespaces ?? []).some(({ type, path }) => type === 'user' && path !== undefined);
	if (process?.terminal) throw unimplemented(`Cannot ${what}: it has a terminal, which cannot be restored`);
	if (Object.values(hooks ?? {}).some((list) => list.length > 0))
		throw unimplemented(`Cannot ${what}: it has hooks (of a CDI device), which cannot be restored`);
	if (types.has('user') || isJoined)
		throw unimplemented(`Cannot ${what}: it runs in a user namespace, which cannot be restored`);
	if (!types.has('pid'))
		throw unimplemented(`Cannot ${what}: it shares its process ids with others, which cannot be restored`);
}

/**
 * Saves the processes of a container whose cgroup the caller has frozen, and leaves them frozen. DEADLINE_EXCEEDED
 * when it takes too long; ABORTED when it has ended; INTERNAL, ABORTED or RESOURCE_EXHAUSTED quote CRIU. The answer is what `restore` needs beside the images.
 */
export async function checkpointContainer(
	{ launcher, cgroups }: { readonly launcher: Pick<Launcher, 'run'>; readonly cgroups: Cgroups },
	options: CheckpointOptions,
): Promise<Surroundings> {
	const { id, criu, pid, shimPid, cgroupsPath, folder, timeoutMs } = options;
	const images = join(folder, 'checkpoint');
	const frozen = await cgroups.processes(cgroupsPath);
	// Another process may have the id by now; those of a frozen cgroup keep theirs.
	if (!frozen.includes(pid)) throw aborted(`Cannot save the processes of container ${id}: it has ended`);
	const surroundings = await readSurroundings(pid, frozen, shimPid);
	await mkdir(images, { mode: 0o700 });
	const freezer = cgroups.freezerFolder(cgroupsPath);
	const argv = dumpArguments({ criu, pid, images, work: folder, freezer, surroundings });
	const namespaces = SANDBOX_NAMESPACES.map((name) => `/proc/${pid}/ns/${name}`);
	// Not given up before its end: it would freeze the cgroup again when it is done. Nor ended with the daemon: a
	// process whose CRIU is killed at the wrong moment dies of the trap that CRIU has set.
	const ran = await launcher.run({ argv, env: CRIU_ENV, namespaces, timeoutMs, outlives: true });
	const what = `save the processes of container ${id}`;
	if (ran.timedOut) throw deadlineExceeded(`Cannot ${what} in time`);
	if (ran.exitCode !== 0) throw await criuFailure(what, join(folder, 'dump.log'), `${ran.stderr}`);
	return surroundings;
}

/** What CRIU failed with, from its log. `what` follows "Cannot". */
export async function criuFailure(what: string, logFile: string, otherwise: string): Promise<StatusError> {
	const log = await readFile(logFile, 'utf8').catch(() => '');
	const why =
		errorsIn(log) ||
		errorsIn(otherwise) ||
		otherwise.trim() ||
		`CRIU was ended; its log ${logFile} says nothing`;
	if (/No space left on device/.test(log)) return resourceExhausted(`Cannot ${what}: ${why}`);
	// What it works on was stopped or removed meanwhile.
	if (/No such process|has exited|zombie/i.test(why)) return aborted(`Cannot ${what}: ${why}`);
	return internal(`Cannot ${what}: ${why}`);
}
