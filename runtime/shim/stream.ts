import { cancelled, unavailable } from '#base/errors.ts';
import type { ProcessStream, StreamExit } from '../types.ts';
import type { Frame } from './codec.ts';
import type { FrameConnection } from './connection.ts';
import { explained } from './errors.ts';
import { ReadQueue } from './read-queue.ts';
import { CONSTANTS } from './schema.ts';

type Output = { readonly stream: 'stdout' | 'stderr'; readonly data: Buffer };

const STDIN_CHUNK_BYTES = 256 * 1024;

/** The streams of one process over a connection of its own. The output must be read, or `exit` never comes. */
export class ShimStream implements ProcessStream {
	readonly output: AsyncIterable<Output>;
	readonly #connection: FrameConnection;
	readonly #exit = Promise.withResolvers<StreamExit>();
	readonly #queue: ReadQueue<Output>;
	#pid = 0;

	constructor(connection: FrameConnection, signal: AbortSignal | undefined) {
		this.#connection = connection;
		this.#queue = new ReadQueue(connection);
		this.output = this.#queue;
		this.#exit.promise.catch(() => {});
		connection.onFrame((frame) => this.#take(frame));
		const abort = () => {
			this.#finish(cancelled('The call was cancelled'));
			connection.close();
		};
		if (signal?.aborted) abort();
		signal?.addEventListener('abort', abort, { once: true });
		void connection.ended.then((reason) => {
			signal?.removeEventListener('abort', abort);
			if (!this.#queue.ended)
				this.#finish(unavailable(`The stream of process ${this.#pid} broke: ${reason}`));
		});
	}

	get pid(): number {
		return this.#pid;
	}

	get exit(): Promise<StreamExit> {
		return this.#exit.promise;
	}

	/** The shim has answered: the process runs. */
	started(pid: number): void {
		this.#pid = pid;
	}

	async write(data: Uint8Array): Promise<void> {
		for (let at = 0; at < data.length; at += STDIN_CHUNK_BYTES) {
			await this.#connection.sendStdin(data.subarray(at, at + STDIN_CHUNK_BYTES));
		}
	}

	async closeStdin(): Promise<void> {
		await this.#connection.send('CLOSE_STDIN', {});
	}

	async resize(columns: number, rows: number): Promise<void> {
		await explained(`resize the terminal of process ${this.#pid}`, () =>
			this.#connection.request('RESIZE', { id: '', columns, rows }, 'OK'),
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#connection.close();
		await this.#connection.ended;
	}

	#take(frame: Frame): void {
		if (frame.type === 'OUTPUT') {
			const stream = frame.body.stream === CONSTANTS.STREAM_STDERR ? 'stderr' : 'stdout';
			const { data: bytes } = frame.body;
			const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
			this.#queue.push({ stream, data });
		} else if (frame.type === 'EXITED') {
			const { exit_code, signal, timed_out, exited_at_ns } = frame.body;
			this.#exit.resolve({
				exitCode: exit_code,
				signal,
				timedOut: timed_out === 1,
				exitedAtNs: exited_at_ns,
			});
			this.#finish(undefined);
		}
	}

	#finish(error: Error | undefined): void {
		this.#queue.end(error);
		if (error !== undefined) this.#exit.reject(error);
	}
}
