import { randomBytes } from 'node:crypto';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';

/** What a hook asks for: `verb` with the process id of the sandbox (0 when it has ended). */
export type HookHandler = (verb: string, pid: number) => Promise<void>;

const MAX_LINE_BYTES = 4096;

/**
 * The socket where `gantry-hook ask` turns to us. One line each way:
 *
 *     VERB TOKEN PID\n   →   ok\n   or   error SENTENCE\n
 *
 * A token is told to one sandbox's bundle only, and cannot be guessed.
 */
export class HookServer {
	readonly path: string;
	readonly #log: Log;
	readonly #handlers = new Map<string, HookHandler>();
	readonly #sockets = new Set<Socket>();
	#server: Server | undefined;

	constructor(path: string, log: Log) {
		this.path = path;
		this.#log = log;
	}

	static newToken(): string {
		return randomBytes(24).toString('hex');
	}

	register(token: string, handler: HookHandler): void {
		this.#handlers.set(token, handler);
	}
	forget(token: string): void {
		this.#handlers.delete(token);
	}

	/** Begins to listen; a socket file of an earlier daemon is replaced. Doing it twice is fine. */
	async listen(): Promise<void> {
		if (this.#server !== undefined) return;
		await rm(this.path, { force: true });
		const server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
		await new Promise<void>((resolve, reject) => server.once('error', reject).listen(this.path, resolve));
		server.unref();
		this.#server = server;
		await chmod(this.path, 0o600);
	}

	/** Hooks that still wait are cut off: their work goes on or is taken up by the next daemon. */
	async close(): Promise<void> {
		const server = this.#server;
		this.#server = undefined;
		if (server === undefined) return;
		for (const socket of this.#sockets) socket.destroy();
		await new Promise((resolve) => server.close(resolve));
		await rm(this.path, { force: true });
	}

	#serve(socket: Socket): void {
		this.#sockets.add(socket);
		socket.on('close', () => this.#sockets.delete(socket));
		let text = '';
		const answer = (line: string) => {
			socket.off('data', onData).off('end', onEnd);
			void this.#answer(line).then((answered) => socket.end(`${answered}\n`));
		};
		const onData = (chunk: Buffer) => {
			text += chunk.toString('latin1');
			const end = text.indexOf('\n');
			if (end >= 0 || text.length >= MAX_LINE_BYTES) answer(text.slice(0, Math.max(end, 0)));
		};
		const onEnd = () => answer('');
		socket.on('data', onData).on('end', onEnd);
		socket.on('error', (error) => this.#log.debug('a hook went away', { error }));
	}

	async #answer(line: string): Promise<string> {
		const [verb = '', token = '', pid = '', ...rest] = line.split(' ');
		if (rest.length > 0 || !/^\d{1,10}$/.test(pid)) return 'error this is no request of a network hook';
		const handler = this.#handlers.get(token);
		// The sandbox is off its network already: a teardown may run its hooks twice.
		if (handler === undefined && verb === 'del') return 'ok';
		if (handler === undefined) return 'error the daemon does not know this sandbox';
		try {
			await handler(verb, Number(pid));
			return 'ok';
		} catch (error) {
			// One line of text, whatever a plug-in said.
			return `error ${messageOf(error).replaceAll(/[\s\p{Cc}]+/gu, ' ')}`;
		}
	}
}
