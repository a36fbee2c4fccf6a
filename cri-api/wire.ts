/** The wire format of Protocol Buffers: tags, integers of variable length, and what has its length before it. */

/** How a field lies in a message, by the last three bits of its tag. Groups are not in the contract, nor are they read. */
export const WIRE = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

const FIRST_BYTES = 4 * 1024;
/** A longer message was a rare one: its memory is not kept. */
const MOST_KEPT_BYTES = 64 * 1024;
const TWO_32 = 2 ** 32;

export class WireWriter {
	#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
	#at = 0;

	/** Begins a new message. */
	begin(): void {
		if (this.#buffer.length > MOST_KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
		this.#at = 0;
	}

	/** A copy of what was written. */
	bytes(): Buffer {
		return Buffer.from(this.#buffer.subarray(0, this.#at));
	}

	tag(number: number, wire: number): void {
		this.varint((number << 3) | wire);
	}

	/** An integer of 32 bits without a sign. */
	varint(value: number): void {
		this.#varint(value, 0);
	}

	/** One with a sign is written as one of 64 bits. */
	int32(value: number): void {
		this.#varint(value >>> 0, value < 0 ? 0xffff_ffff : 0);
	}

	varint64(value: bigint): void {
		this.#varint(Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn));
	}

	#varint(low: number, high: number): void {
		this.#makeRoom(10);
		while (high > 0 || low > 0x7f) {
			this.#buffer[this.#at++] = (low & 0x7f) | 0x80;
			low = ((low >>> 7) | (high << 25)) >>> 0;
			high >>>= 7;
		}
		this.#buffer[this.#at++] = low;
	}

	double(value: number): void {
		this.#makeRoom(8);
		this.#at = this.#buffer.writeDoubleLE(value, this.#at);
	}

	string(value: string): void {
		const length = Buffer.byteLength(value);
		this.varint(length);
		this.#makeRoom(length);
		this.#at += this.#buffer.write(value, this.#at);
	}

	blob(value: Uint8Array): void {
		this.varint(value.length);
		this.#makeRoom(value.length);
		this.#buffer.set(value, this.#at);
		this.#at += value.length;
	}

	/** What `write` writes, with its length before it. */
	delimited(write: () => void): void {
		// For any length: were the buffer exchanged when that is written, what lies behind it would be lost.
		this.#makeRoom(10);
		const lengthAt = this.#at++;
		write();
		const length = this.#at - lengthAt - 1;
		// Most are short. For the length of a long one its bytes make room.
		const shift = bytesOfVarint(length) - 1;
		this.#makeRoom(shift);
		if (shift > 0) this.#buffer.copyWithin(lengthAt + 1 + shift, lengthAt + 1, this.#at);
		const end = this.#at + shift;
		this.#at = lengthAt;
		this.varint(length);
		this.#at = end;
	}

	#makeRoom(bytes: number): void {
		const needed = this.#at + bytes;
		if (needed <= this.#buffer.length) return;
		const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, needed));
		this.#buffer.copy(grown, 0, 0, this.#at);
		this.#buffer = grown;
	}
}

function bytesOfVarint(value: number): number {
	let bytes = 1;
	for (let rest = value; rest > 0x7f; rest >>>= 7) bytes++;
	return bytes;
}

/** Reads what others have written: a RangeError when it is no message. */
export class WireReader {
	readonly #bytes: Buffer;
	#at = 0;
	#end: number;

	constructor(bytes: Uint8Array) {
		this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
		this.#end = bytes.length;
	}

	/** At the end of the message, or of what is being read by `delimited`. */
	get isDone(): boolean {
		return this.#at >= this.#end;
	}

	/** The lower 32 bits, without a sign. */
	varint(): number {
		return this.#varint().low;
	}

	/** As an integer without a sign. */
	varint64(): bigint {
		const { low, high } = this.#varint();
		// Below 2 ** 53 a number is exact.
		return high < 0x20_0000 ? BigInt(high * TWO_32 + low) : (BigInt(high) << 32n) | BigInt(low);
	}

	double(): number {
		return this.#bytes.readDoubleLE(this.#take(8));
	}

	string(): string {
		const length = this.varint();
		const at = this.#take(length);
		return this.#bytes.toString('utf8', at, at + length);
	}

	/** A copy: the message it came in is not kept for it. */
	blob(): Buffer {
		const length = this.varint();
		const at = this.#take(length);
		return Buffer.from(this.#bytes.subarray(at, at + length));
	}

	/** What has its length before it; `read` reads to its end. */
	delimited<T>(read: () => T): T {
		const length = this.varint();
		const outer = this.#end;
		const end = this.#at + length;
		if (end > outer) throw cutOff();
		this.#end = end;
		const value = read();
		this.#end = outer;
		return value;
	}

	/** A field that nobody knows. */
	skip(wire: number): void {
		if (wire === WIRE.varint) this.#varint();
		else if (wire === WIRE.fixed64) this.#take(8);
		else if (wire === WIRE.fixed32) this.#take(4);
		else if (wire === WIRE.delimited) this.#take(this.varint());
		else throw new RangeError(`the message has a field of wire type ${wire}`);
	}

	#take(bytes: number): number {
		const at = this.#at;
		if (bytes > this.#end - at) throw cutOff();
		this.#at += bytes;
		return at;
	}

	#varint(): { readonly low: number; readonly high: number } {
		let low = 0;
		let high = 0;
		for (let shift = 0; shift < 70; shift += 7) {
			const byte = this.#bytes[this.#take(1)] ?? 0;
			const bits = byte & 0x7f;
			if (shift < 28) low |= bits << shift;
			else if (shift === 28) {
				low |= bits << 28;
				high |= bits >> 4;
			} else if (shift < 63) high |= bits << (shift - 32);
			else high |= bits << 31;
			if (byte < 0x80) return { low: low >>> 0, high: high >>> 0 };
		}
		throw new RangeError('the message has an integer of more than ten bytes');
	}
}

const cutOff = (): RangeError => new RangeError('the message is cut off');
