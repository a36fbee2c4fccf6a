/** Collects what a process writes up to a limit; what is beyond is read and dropped, so that the process goes on. */
export class CappedOutput {
	readonly #limitBytes: number;
	readonly #chunks: Buffer[] = [];
	#size = 0;

	constructor(limitBytes: number) {
		this.#limitBytes = limitBytes;
	}

	/** Copies what it keeps. */
	add(data: Buffer): void {
		const kept = data.subarray(0, this.#limitBytes - this.#size);
		if (kept.length === 0) return;
		this.#chunks.push(Buffer.from(kept));
		this.#size += kept.length;
	}

	bytes(): Buffer {
		return Buffer.concat(this.#chunks);
	}
}
