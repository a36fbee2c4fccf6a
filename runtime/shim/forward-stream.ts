import { cancelled, failedPrecondition, unavailable } from '#base/errors.ts';
import type { ForwardStream } from '../types.ts';
import type { Frame } from './codec.ts';
import type { FrameConnection } from './connection.ts';
import { errnoName } from './errors.ts';
import { ReadQueue } from './read-queue.ts';

const CHUNK_BYTES = 64 * 1024;

/** A connection to a port, over a connection of its own to the shim. */
export class ShimForward implements ForwardStream {
	readonly output: AsyncIterable<Buffer>;
	readonly #connection: FrameConnection;
	readonly #what: string;
	readonly #queue: ReadQueue<Buffer>;
	#broken: Error | undefined;

	/** `what` names the connection in errors: `The connection to port 80 of sandbox 12`. */
	constructor(connection: FrameConnection, what: string, signal: AbortSignal | undefined) {
		this.#connection = connection;
		this.#what = what;
		this.#queue = new ReadQueue(connection);
		this.output = this.#queue;
		connection.onFrame((frame) => this.#take(frame));
		const abort = () => this.#break(cancelled('The call was cancelled'));
		if (signal?.aborted) abort();
		signal?.addEventListener('abort', abort, { once: true });
		void connection.ended.then((reason) => {
			signal?.removeEventListener('abort', abort);
			if (!this.#queue.ended) this.#queue.end(unavailable(`${what} broke: ${reason}`));
		});
	}

	async write(data: Uint8Array): Promise<void> {
		for (let at = 0; at < data.length; at += CHUNK_BYTES) {
			const chunk = data.subarray(at, at + CHUNK_BYTES);
			await this.#orBroken(() => this.#connection.sendStdin(chunk));
		}
	}

	async end(): Promise<void> {
		await this.#orBroken(() => this.#connection.request('CLOSE_STDIN', {}, 'OK'));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#connection.close();
		await this.#connection.ended;
	}

	#take(frame: Frame): void {
		if (frame.type === 'OUTPUT') {
			const { data } = frame.body;
			this.#queue.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
		} else if (frame.type === 'FORWARD_CLOSED') {
			if (frame.body.errno === 0) this.#queue.end();
			else this.#break(this.#errorOf(errnoName(frame.body.errno)));
		}
	}

	#errorOf(errno: string): Error {
		return errno === 'ESRCH'
			? failedPrecondition(`${this.#what} ended with it`)
			: unavailable(`${this.#what} broke: ${errno}`);
	}

	#break(error: Error): void {
		this.#broken ??= error;
		this.#queue.end(error);
		this.#connection.close();
	}

	/** That the connection to the shim is gone is the consequence of what broke, when it is known. */
	async #orBroken(call: () => Promise<unknown>): Promise<void> {
		try {
			await call();
		} catch (error) {
			throw this.#broken ?? error;
		}
	}
}
