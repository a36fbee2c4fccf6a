import { chmod, chown, lstat, mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { errnoOf, failedPrecondition, fromSystemError } from '#base/errors.ts';

/** The path of a `unix://` address. */
export function pathOfAddress(address: string): string {
	return address.slice('unix://'.length);
}

/**
 * Makes the path of a socket free to be bound: its folder exists, and a file that a dead server left is gone.
 * FAILED_PRECONDITION when a living server listens there or when the file is no socket.
 */
export async function freeSocketPath(path: string): Promise<void> {
	try {
		await mkdir(dirname(path), { recursive: true, mode: 0o755 });
		const file = await lstat(path).catch(() => undefined);
		if (file === undefined) return;
		if (!file.isSocket())
			throw failedPrecondition(
				`Cannot listen on ${path}: it is a file of another kind; move it away or choose another --listen`,
			);
		if (await someoneAnswers(path))
			throw failedPrecondition(
				`Cannot listen on ${path}: another server answers there; stop it or choose another --listen`,
			);
		await rm(path, { force: true });
	} catch (error) {
		throw fromSystemError(`Cannot prepare the socket ${path}`, error);
	}
}

/** Sets owner and mode once the socket is bound. Until then only its maker can connect: the umask takes write from others. */
export async function protectSocket(
	path: string,
	socket: { mode: number; uid: number; gid: number },
): Promise<void> {
	try {
		await chown(path, socket.uid, socket.gid);
		await chmod(path, socket.mode);
	} catch (error) {
		throw fromSystemError(`Cannot set owner and mode of the socket ${path}`, error);
	}
}

/** Whether a connect is accepted. Whatever is not a plain refusal (a full backlog, a missing right) counts as an answer. */
function someoneAnswers(path: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(path);
		socket.once('connect', () => {
			socket.destroy();
			resolve(true);
		});
		socket.once('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT'].includes(errnoOf(error) ?? '')));
	});
}
