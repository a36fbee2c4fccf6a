import { invalidArgument } from '#base/errors.ts';

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

/** `ctrl-p,ctrl-q` or `a,ctrl-]`: the bytes that these keys send. Empty: none. @throws INVALID_ARGUMENT */
export function parseDetachKeys(text: string): Buffer {
	if (text === '') return Buffer.alloc(0);
	return Buffer.from(text.split(',').map((key) => byteOf(key, text)));
}

function byteOf(key: string, text: string): number {
	const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
	// Control keys are the upper-case character without bit 6 (ASCII).
	if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
	if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
	throw invalidArgument(
		`--detach-keys ${text}: "${key}" is no key; write keys separated by commas, each one a character or ctrl- and a letter or one of @[\\]^_`,
	);
}

/** Looks for a sequence of keys in what is typed, across chunks. What may be its beginning is held back. */
export class DetachScanner {
	readonly #keys: Buffer;
	#matched = 0;

	constructor(keys: Buffer) {
		this.#keys = keys;
	}

	/** What is to be passed on, and whether the sequence is complete. Nothing after it is passed on. */
	push(chunk: Buffer): { readonly passed: Buffer; readonly detached: boolean } {
		const keys = this.#keys;
		if (keys.length === 0) return { passed: chunk, detached: false };
		const passed: number[] = [];
		for (const byte of chunk) {
			this.#advance(byte, passed);
			if (this.#matched === keys.length) return { passed: Buffer.from(passed), detached: true };
		}
		return { passed: Buffer.from(passed), detached: false };
	}

	#advance(byte: number, passed: number[]): void {
		const keys = this.#keys;
		// What was held back may begin with less of the sequence: `ctrl-p ctrl-p ctrl-q`.
		while (this.#matched > 0 && keys[this.#matched] !== byte) {
			const held = keys.subarray(0, this.#matched);
			let shorter = this.#matched - 1;
			while (shorter > 0 && !held.subarray(held.length - shorter).equals(keys.subarray(0, shorter)))
				shorter--;
			passed.push(...held.subarray(0, held.length - shorter));
			this.#matched = shorter;
		}
		if (keys[this.#matched] === byte) this.#matched += 1;
		else passed.push(byte);
	}
}
