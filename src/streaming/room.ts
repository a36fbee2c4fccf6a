/** Room for so many bytes: whoever fills it waits until enough of them are gone. */
export class Room {
	readonly #limitBytes: number;
	#bytes = 0;
	#waiting: PromiseWithResolvers<void> | undefined;

	constructor(limitBytes: number) {
		this.#limitBytes = limitBytes;
	}

	take(bytes: number): void {
		this.#bytes += bytes;
	}

	give(bytes: number): void {
		this.#bytes -= bytes;
		if (this.#bytes > this.#limitBytes) return;
		this.#waiting?.resolve();
		this.#waiting = undefined;
	}

	/** undefined: there is room. Else settles when there is. */
	whenFree(): Promise<void> | undefined {
		if (this.#bytes <= this.#limitBytes) return undefined;
		this.#waiting ??= Promise.withResolvers<void>();
		return this.#waiting.promise;
	}
}
