import type { Duplex } from 'node:stream';
import { errnoOf, messageOf } from '#base/errors.ts';

/** How long a client that we are done with may take nothing, or leave its side open after it has everything. */
const LINGER_MS = 10_000;
/** How often it is looked whether a client is there that is not read. */
const LOOK_MS = 2000;

/** How a connection ends: by the client, by us when all is said, or by force. */
export class Ending {
	readonly #duplex: Duplex;
	readonly #closed = Promise.withResolvers<string>();
	#reason: string | undefined;
	#isClosing = false;

	constructor(duplex: Duplex) {
		this.#duplex = duplex;
		duplex.on('error', (error) => {
			this.#reason ??= reasonOf(error);
		});
		duplex.once('close', () => this.#closed.resolve(this.#reason ?? 'it closed the connection'));
	}

	get closed(): Promise<string> {
		return this.#closed.promise;
	}

	get isClosing(): boolean {
		return this.#isClosing;
	}

	/**
	 * Sends what was written and the end. The other side must go on being read: the kernel forgets what it has not
	 * delivered yet when a socket with unread bytes is closed.
	 */
	close(reason = 'we closed the connection'): void {
		if (this.#isClosing) return;
		this.#isClosing = true;
		this.#reason ??= reason;
		// From now on, for a client that does not read would never let the end through.
		let left = this.#duplex.writableLength;
		this.#duplex.end(() => {
			left = Number.POSITIVE_INFINITY;
		});
		const timer = setInterval(() => {
			if (this.#duplex.writableLength >= left) this.#duplex.destroy();
			left = this.#duplex.writableLength;
		}, LINGER_MS);
		timer.unref();
		void this.closed.then(() => clearInterval(timer));
	}

	/** `why`: a sentence, or what was thrown. */
	destroy(why: unknown): void {
		this.#isClosing = true;
		this.#reason ??= reasonOf(why);
		this.#duplex.destroy();
	}

	/** Sends something from time to time, for only that fails when the client is gone. Returns how to stop. */
	lookWhileNotRead(send: () => void): () => void {
		const timer = setInterval(send, LOOK_MS);
		timer.unref();
		return () => clearInterval(timer);
	}
}

const reasonOf = (why: unknown): string =>
	GONE.has(errnoOf(why) ?? '') ? 'it closed the connection' : messageOf(why);

const GONE = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);
