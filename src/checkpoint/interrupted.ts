/** What a checkpoint leaves frozen, and half written, should the daemon be killed. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { isHalfWritten } from '#base/atomic-file.ts';
import { messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { Container } from '../container/types.ts';
import type { Daemon } from '../server/types.ts';
import { claim } from './claim.ts';
import { type Destination, makeTemporary, putBack } from './destination.ts';
import { saversEnded } from './savers.ts';

/** In the folder of a container's record: a checkpoint of it is under way, whose temporary folder it names. */
const markOf = ({ metadata }: Container): string => join(metadata.folder, 'checkpoint');

function mark(container: Container, temporary: string): void {
	writeFileSync(markOf(container), temporary, { mode: 0o600 });
}

function unmark(container: Container): void {
	rmSync(markOf(container), { force: true });
}

interface Work {
	readonly field: string;
	readonly destination: Destination;
	/** Those that may be frozen meanwhile. */
	readonly containers: readonly Container[];
	readonly work: () => Promise<void>;
}

/**
 * Works in the temporary folder of a destination, and removes it whatever happens. The containers are marked before it
 * is made and until it is gone: the next daemon finds by the marks what this one leaves.
 */
export async function inTemporary(
	daemon: Daemon,
	{ field, destination, containers, work }: Work,
): Promise<void> {
	const { temporary } = destination;
	try {
		await changing('checkpoint.mark', () => {
			for (const container of containers) mark(container, temporary);
		});
		await makeTemporary(destination, { field });
		await work();
	} finally {
		await changing('checkpoint.remove', () => removeTemporary(daemon, temporary));
		await changing('checkpoint.unmark', () => {
			for (const container of containers) release(daemon, container);
		});
	}
}

/** Unless it holds the only copy of an earlier checkpoint. */
async function removeTemporary({ launcher, log }: Daemon, temporary: string): Promise<void> {
	try {
		await putBack(temporary);
	} catch (error) {
		log.error('a temporary folder stays', { path: temporary, error: messageOf(error) });
		return;
	}
	await launcher.removeTree(temporary);
}

/** Thawed once more: the mark of one that may be frozen stays, for the next daemon. */
function release({ cgroups, log }: Daemon, container: Container): boolean {
	try {
		cgroups.thaw(container.metadata.cgroupsPath);
		unmark(container);
		return true;
	} catch (error) {
		log.error('a container may be frozen', { container: container.metadata.id, error: messageOf(error) });
		return false;
	}
}

/**
 * Lets everything go on that a killed daemon had frozen, and removes what it had not finished. Nothing waits for it: a
 * CRIU may still be at work. Until its end the containers are claimed, from the call on: it belongs before the first
 * request.
 */
export function resumeInterrupted(daemon: Daemon): void {
	const byTemporary = Map.groupBy(
		daemon.containers.list().filter((container) => existsSync(markOf(container))),
		(container) => readFileSync(markOf(container), 'utf8'),
	);
	for (const [temporary, containers] of byTemporary) {
		resume(daemon, temporary, containers).catch((error: unknown) =>
			daemon.log.error('containers may be frozen', { temporary, error: messageOf(error) }),
		);
	}
}

async function resume(daemon: Daemon, temporary: string, containers: readonly Container[]): Promise<void> {
	const { log } = daemon;
	using _claimed = claim(daemon, 'resume after a checkpoint', containers);
	const isOurs = isAbsolute(temporary) && isHalfWritten(temporary);
	if (isOurs) await saversEnded(daemon, temporary);
	// Everything goes on before the files are looked after, which may take long.
	for (const { metadata } of containers) thaw(daemon, metadata);
	if (isOurs)
		await removeTemporary(daemon, temporary).catch((error: unknown) =>
			log.warn('a half-written checkpoint is left', { path: temporary, error: messageOf(error) }),
		);
	for (const container of containers)
		if (release(daemon, container))
			log.warn('a checkpoint was interrupted; the container goes on', { container: container.metadata.id });
}

function thaw({ cgroups, log }: Daemon, { id, cgroupsPath }: Container['metadata']): void {
	try {
		cgroups.thaw(cgroupsPath);
	} catch (error) {
		log.debug('thawing failed, and is tried again', { container: id, error: messageOf(error) });
	}
}
