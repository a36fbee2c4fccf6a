/** The one place that starts a process from Node: fork of a large process takes milliseconds, so it is done once. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

export interface LauncherProcess {
	readonly pid: number;
	readonly socket: Socket;
	/** Settles when the process is gone. */
	readonly exited: Promise<string>;
	kill(): void;
}

/** Starts `gantry-shim launcher` with the protocol on its descriptor 3. Rejects when it cannot be started. */
export async function spawnLauncher(binary: string, instance: string): Promise<LauncherProcess> {
	const child = spawn(binary, ['launcher', '--instance', instance], {
		stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
		cwd: '/',
	});
	const exited = new Promise<string>((resolve) => {
		child.once('exit', (code, signal) =>
			resolve(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`),
		);
	});
	await new Promise<void>((resolve, reject) => {
		child.once('spawn', resolve);
		child.once('error', reject);
	});
	const socket = child.stdio[3] as unknown as Socket;
	return { pid: child.pid ?? 0, socket, exited, kill: () => void child.kill('SIGKILL') };
}
