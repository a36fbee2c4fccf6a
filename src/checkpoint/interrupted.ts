/** What a killed daemon left frozen, and half written. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { isHalfWritten } from '#base/atomic-file.ts';
import { messageOf } from '#base/errors.ts';
import type { Container } from '../container/types.ts';
import type { Daemon } from '../server/types.ts';
import { claim } from './claim.ts';
import { saversEnded } from './savers.ts';

/** In the folder of a container's record: its cgroup is frozen for a checkpoint, whose temporary folder it names. */
const markOf = ({ metadata }: Container): string => join(metadata.folder, 'checkpoint');

export function markFrozen(container: Container, temporary: string): void {
	writeFileSync(markOf(container), temporary, { mode: 0o600 });
}

export function unmark(container: Container): void {
	rmSync(markOf(container), { force: true });
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
	const { cgroups, launcher, log } = daemon;
	using _claimed = claim(daemon, 'resume after a checkpoint', containers);
	const isOurs = isAbsolute(temporary) && isHalfWritten(temporary);
	if (isOurs) await saversEnded(daemon, temporary);
	for (const container of containers) {
		const { id, cgroupsPath } = container.metadata;
		try {
			cgroups.thaw(cgroupsPath);
			unmark(container);
			log.warn('a checkpoint was interrupted; the container goes on', { container: id });
		} catch (error) {
			log.error('a container may be frozen', { container: id, error: messageOf(error) });
		}
	}
	if (!isOurs) return;
	await launcher
		.removeTree(temporary)
		.catch((error: unknown) =>
			log.warn('a half-written checkpoint is left', { path: temporary, error: messageOf(error) }),
		);
}
