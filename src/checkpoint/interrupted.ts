/** What a killed daemon left frozen, and half written. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isHalfWritten } from '#base/atomic-file.ts';
import { messageOf } from '#base/errors.ts';
import type { Container } from '../container/types.ts';
import type { Daemon } from '../server/types.ts';

/** In the folder of a container's record: its cgroup is frozen for a checkpoint, whose temporary folder it names. */
const markOf = ({ metadata }: Container): string => join(metadata.folder, 'checkpoint');

export function markFrozen(container: Container, temporary: string): void {
	writeFileSync(markOf(container), temporary, { mode: 0o600 });
}

export function unmark(container: Container): void {
	rmSync(markOf(container), { force: true });
}

/** Lets everything go on that a killed daemon had frozen, and removes what it had not finished. */
export async function resumeInterrupted({ containers, cgroups, launcher, log }: Daemon): Promise<void> {
	const interrupted = containers.list().filter((container) => existsSync(markOf(container)));
	const temporaries = new Set<string>();
	for (const container of interrupted) {
		const { id, cgroupsPath } = container.metadata;
		try {
			cgroups.thaw(cgroupsPath);
			temporaries.add(readFileSync(markOf(container), 'utf8'));
			unmark(container);
			log.warn('a checkpoint was interrupted; the container goes on', { container: id });
		} catch (error) {
			log.error('a container may be frozen', { container: id, error: messageOf(error) });
		}
	}
	for (const path of temporaries) {
		if (!path.startsWith('/') || !isHalfWritten(path)) continue;
		await launcher
			.removeTree(path)
			.catch((error: unknown) =>
				log.warn('a half-written checkpoint is left', { path, error: messageOf(error) }),
			);
	}
}
