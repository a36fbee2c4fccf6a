import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { internal, messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { checkpointContainer, type OciSpec } from '#runtime';
import type { Container } from '../container/types.ts';
import type { Daemon } from '../server/types.ts';
import type { Deadline } from './deadline.ts';
import { writeContainer } from './documents.ts';
import { saveRootDiff } from './root-diff.ts';
import { saversEnded } from './savers.ts';
import { SHARED_MEMORY, sharedMemoryOf } from './shared-memory.ts';
import { pack } from './tar.ts';

/** One container that is saved, and the folder that it is saved in. */
export interface Saved {
	readonly container: Container;
	readonly spec: OciSpec;
	readonly folder: string;
}

export interface Capture {
	readonly criu: string;
	readonly shimPid: number;
	/** All that are stopped, so that there is one cut; those that are saved are among them. */
	readonly stopped: readonly Container[];
	readonly saved: readonly Saved[];
	/** The temporary folder; the containers are marked with it. */
	readonly temporary: string;
	/** Where the pod's /dev/shm is packed, and the pause process that sees it; undefined: it is the node's. */
	readonly sharedMemory: { readonly pid: number; readonly folder: string } | undefined;
	readonly deadline: Deadline;
}

/** Stops the containers, saves them at that one moment, and lets all of them go on whatever happens. */
export async function capture(daemon: Daemon, cut: Capture): Promise<void> {
	const { cgroups } = daemon;
	const { stopped, temporary, deadline } = cut;
	let isDone = false;
	try {
		const { signal } = deadline;
		await changing('checkpoint.freeze', async () => {
			const freezing = stopped.map(({ metadata }) => cgroups.freeze(metadata.cgroupsPath, { signal }));
			await Promise.allSettled(freezing);
			await Promise.all(freezing);
		});
		for (const saved of cut.saved) await save(daemon, cut, saved);
		await saveSharedMemory(daemon, cut);
		isDone = true;
	} finally {
		try {
			if (!isDone) await saversEnded(daemon, temporary);
		} finally {
			await changing('checkpoint.thaw', () => resumeAll(daemon, stopped));
		}
	}
}

/** CRIU is killed only when it hangs, for that may be the end of the container, too: late is better. */
const HANGS_MS = 10_000;
const patienceMs = ({ remainingMs }: Deadline): number => remainingMs + HANGS_MS;

async function save(daemon: Daemon, cut: Capture, { container, spec, folder }: Saved): Promise<void> {
	const { containers, launcher, config } = daemon;
	const { id, cgroupsPath } = container.metadata;
	const { criu, shimPid, deadline } = cut;
	await mkdir(folder, { recursive: true, mode: 0o700 });
	const pid = container.status.process?.pid ?? 0;
	const options = { id, criu, pid, shimPid, cgroupsPath, folder, timeoutMs: patienceMs(deadline) };
	const surroundings = await changing('checkpoint.save', () => checkpointContainer(daemon, options));
	deadline.signal.throwIfAborted();
	await writeContainer(folder, container, spec, surroundings);
	const upper = join(containers.layerFolder(id), 'upper');
	await changing('checkpoint.files', () =>
		saveRootDiff(launcher, { upper, folder, scratch: config.state }, deadline),
	);
}

async function saveSharedMemory({ launcher }: Daemon, { sharedMemory, deadline }: Capture): Promise<void> {
	if (sharedMemory === undefined) return;
	const { pid, folder } = sharedMemory;
	const archive = join(folder, SHARED_MEMORY);
	await pack(launcher, { folder: sharedMemoryOf(pid), archive, mayChange: true }, deadline);
}

function resumeAll({ cgroups, log }: Daemon, stopped: readonly Container[]): void {
	const failures: string[] = [];
	for (const container of stopped) {
		try {
			cgroups.thaw(container.metadata.cgroupsPath);
		} catch (error) {
			log.error('a container may be frozen', { container: container.metadata.id, error: messageOf(error) });
			failures.push(messageOf(error));
		}
	}
	if (failures.length > 0) throw internal(`Cannot resume after the checkpoint: ${failures.join('; ')}`);
}
