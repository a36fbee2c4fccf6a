import { constants } from 'node:os';
import { dataLoss, messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { type ExitRecord, readExitRecord } from '#runtime';
import { nowNs } from '../sandbox/clock.ts';
import type { Daemon } from '../server/types.ts';
import type { Container, ContainerStatus } from './types.ts';

const { SIGKILL } = constants.signals;

type Ending = Pick<ContainerStatus, 'exitCode' | 'reason' | 'message'>;

/** The shim says that a container's process has ended. */
export async function containerExited(daemon: Daemon, exit: ExitRecord): Promise<void> {
	// The lock keeps this behind a start that is under way, so that the events come in order.
	using _held = await daemon.containers.locks.acquire(exit.id);
	const container = daemon.containers.get(exit.id);
	if (container === undefined || container.status.finishedAtNs !== undefined) return;
	const [ending] = await Promise.all([endingOf(daemon, container, exit), killWhatIsLeft(daemon, container)]);
	await finish(daemon, container, exit.exitedAtNs, ending);
}

/** Its shim is gone, and with it the exit code unless the shim had written it: what still runs of it is killed. */
export async function containerLost(daemon: Daemon, id: string): Promise<void> {
	using _held = await daemon.containers.locks.acquire(id);
	const container = daemon.containers.get(id);
	if (container === undefined || container.status.finishedAtNs !== undefined || container.status.unknown)
		return;
	await killCgroup(daemon, container);
	const exit = await exitOf(daemon, container);
	if (exit !== undefined) {
		await finish(daemon, container, exit.exitedAtNs, await endingOf(daemon, container, exit));
		return;
	}
	await finish(daemon, container, nowNs(), {
		exitCode: 255,
		reason: 'ContainerStatusUnknown',
		message: 'the shim that watched this container is gone, so nobody knows how it ended',
	});
}

/** What the shim wrote; undefined when it did not, or when it cannot be read or tells of another process. */
async function exitOf({ log }: Daemon, { metadata, status }: Container): Promise<ExitRecord | undefined> {
	const { id, folder } = metadata;
	try {
		const exit = await readExitRecord(folder, id);
		const pid = status.process?.pid;
		if (exit !== undefined && pid !== undefined && exit.pid !== pid)
			throw dataLoss(`it tells of process ${exit.pid}, not of ${pid}`);
		return exit;
	} catch (error) {
		log.warn('an exit record is lost', { container: id, error: messageOf(error) });
		return undefined;
	}
}

/** Sets the end, once and for all. */
export async function finish(
	daemon: Daemon,
	{ metadata }: Container,
	atNs: bigint,
	ending: Ending,
): Promise<void> {
	const { containers, events, log } = daemon;
	const { id, sandboxId } = metadata;
	containers.update(id, { ...ending, finishedAtNs: atNs, startUntold: !containers.isStartTold(id) });
	log.info('container ended', { sandbox: sandboxId, container: id, ...ending });
	// At once, with the status: the shim's exit record is on the file system already.
	events.publish({ type: 'CONTAINER_STOPPED_EVENT', sandboxId, containerId: id, atNs });
	await changing('exit.record', () => containers.trySave(id));
}

async function endingOf(
	{ cgroups, log }: Daemon,
	{ metadata }: Container,
	exit: ExitRecord,
): Promise<Ending> {
	const exitCode = exit.signal === 0 ? exit.exitCode : 128 + exit.signal;
	if (exitCode === 0) return { exitCode, reason: 'Completed', message: '' };
	// Only the init's own death by SIGKILL is blamed on memory: a killed child may have been nobody's loss.
	const oomKills =
		exit.signal === SIGKILL
			? await cgroups.oomKills(metadata.cgroupsPath).catch((error: unknown) => {
					log.warn('cannot ask why a container was killed', {
						container: metadata.id,
						error: messageOf(error),
					});
					return 0;
				})
			: 0;
	return { exitCode, reason: oomKills > 0 ? 'OOMKilled' : 'Error', message: '' };
}

/** In a shared process namespace the children of an init that ended live on. */
async function killWhatIsLeft({ sandboxes, log }: Daemon, { metadata }: Container): Promise<void> {
	const ownNamespace = metadata.config.linux?.security_context?.namespace_options?.pid === 'CONTAINER';
	if (ownNamespace) return;
	await sandboxes.shims
		.get(metadata.sandboxId)
		?.kill(metadata.id, SIGKILL, { all: true })
		.catch((error: unknown) =>
			log.warn('cannot kill what a container left', { container: metadata.id, error: messageOf(error) }),
		);
}

async function killCgroup({ cgroups, log }: Daemon, { metadata }: Container): Promise<void> {
	const pids = await cgroups.processes(metadata.cgroupsPath).catch(() => []);
	for (const pid of pids) {
		try {
			process.kill(pid, 'SIGKILL');
		} catch (error) {
			log.debug('a process of a lost container is gone already', { pid, error: messageOf(error) });
		}
	}
}
