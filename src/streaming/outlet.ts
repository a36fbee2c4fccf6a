import type { Duplex } from 'node:stream';
import { cancelled } from '#base/errors.ts';

/**
 * Writes to a client with back-pressure for all of its streams together: what waits in memory is bounded by the
 * stream's high-water mark and one more write.
 */
export class Outlet {
	readonly #duplex: Duplex;
	#drained: PromiseWithResolvers<void> | undefined;
	#sentBytes = 0;

	constructor(duplex: Duplex) {
		this.#duplex = duplex;
		const wake = () => {
			this.#drained?.resolve();
			this.#drained = undefined;
		};
		duplex.on('drain', wake);
		duplex.on('close', wake);
	}

	get sentBytes(): number {
		return this.#sentBytes;
	}

	/** Settles when the kernel has it: the memory of the parts may be used again. CANCELLED when the client has left. */
	async send(...parts: readonly (Uint8Array | string)[]): Promise<void> {
		while (this.#duplex.writableNeedDrain && !this.#isGone) {
			this.#drained ??= Promise.withResolvers<void>();
			await this.#drained.promise;
		}
		const { promise, resolve } = Promise.withResolvers<Error | null | undefined>();
		if (!this.#write(parts, resolve) || (await promise)) throw clientLeft();
	}

	/** For the few bytes that must not wait. Nothing is sent when more than is good waits already: false. */
	sendNow(...parts: readonly (Uint8Array | string)[]): boolean {
		return this.#duplex.writableLength <= this.#duplex.writableHighWaterMark * 2 && this.#write(parts);
	}

	get #isGone(): boolean {
		return this.#duplex.destroyed || this.#duplex.writableEnded;
	}

	#write(parts: readonly (Uint8Array | string)[], done: (error?: Error | null) => void = () => {}): boolean {
		if (this.#isGone) return false;
		this.#duplex.cork();
		parts.forEach((part, index) => {
			this.#duplex.write(part, index === parts.length - 1 ? done : undefined);
			this.#sentBytes += part.length;
		});
		this.#duplex.uncork();
		return true;
	}
}

export const clientLeft = () => cancelled('The client has left');
