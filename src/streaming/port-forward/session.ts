import type { Log } from '#base/log.ts';
import type { ClientConnection } from '../client.ts';
import { type Connect, type ForwardedPair, forward } from './forward.ts';

/** The connections that one client has forwarded. */
export class ForwardSession {
	readonly #connect: Connect;
	readonly #log: Log;
	readonly #left = new AbortController();
	readonly #running = new Set<Promise<void>>();
	#connections = 0;
	#failures = 0;

	constructor(connect: Connect, log: Log) {
		this.#connect = connect;
		this.#log = log;
	}

	begin(pair: ForwardedPair): void {
		const carried = this.#carry(pair).finally(() => this.#running.delete(carried));
		this.#running.add(carried);
	}

	/** Settles when the client has left and nothing of it is there any more. Answers the outcome. */
	async ended(connection: ClientConnection): Promise<string> {
		const reason = await connection.closed;
		this.#left.abort();
		await Promise.all(this.#running);
		const failed = this.#failures === 0 ? '' : `, ${this.#failures} failed`;
		return `${this.#connections} connections${failed}; ${reason}`;
	}

	async #carry(pair: ForwardedPair): Promise<void> {
		const { port } = pair;
		const startedMs = performance.now();
		this.#connections += 1;
		const forwarded = await forward(pair, this.#connect, this.#left.signal);
		if (forwarded.error !== undefined) this.#failures += 1;
		this.#log.debug('A forwarded connection ended', {
			port,
			...forwarded,
			durationMs: Math.round(performance.now() - startedMs),
		});
	}
}
