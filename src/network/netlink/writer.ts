/*
 * Netlink messages as bytes, little endian as the machines that we run on:
 *
 *   nlmsghdr   u32 length | u16 type | u16 flags | u32 sequence | u32 port     then the family's header
 *   nlattr     u16 length (its own header included, padding not) | u16 type    then the value, padded to 4
 */

/** nlmsghdr flags (linux/netlink.h). */
export const NLM_F_REQUEST = 1;
export const NLM_F_ACK = 4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

const NLA_F_NESTED = 0x8000;

/** Builds a sequence of messages. Attributes may only be written inside the body of `message`. */
export class NetlinkWriter {
	/** Where the number of the pod namespace's descriptor belongs: the side that sends writes it there. */
	readonly podNamespaceOffsets: number[] = [];
	#buffer = Buffer.alloc(512);
	#at = 0;
	#sequence = 0;

	/** One message. NLM_F_REQUEST is added. The body begins with the header of its family. */
	message(type: number, flags: number, body: () => void): this {
		const start = this.#at;
		this.u32(0);
		this.u16(type);
		this.u16(flags | NLM_F_REQUEST);
		this.u32(++this.#sequence);
		this.u32(0);
		body();
		this.#buffer.writeUInt32LE(this.#at - start, start);
		this.#pad();
		return this;
	}

	/** Bare fields, for the headers of families. */
	u8(value: number): void {
		this.#room(1);
		this.#at = this.#buffer.writeUInt8(value, this.#at);
	}
	u16(value: number): void {
		this.#room(2);
		this.#at = this.#buffer.writeUInt16LE(value, this.#at);
	}
	u32(value: number): void {
		this.#room(4);
		this.#at = this.#buffer.writeUInt32LE(value >>> 0, this.#at);
	}
	be16(value: number): void {
		this.#room(2);
		this.#at = this.#buffer.writeUInt16BE(value, this.#at);
	}

	/** Attributes. */
	bytes(type: number, value: Uint8Array): void {
		this.u16(value.length + 4);
		this.u16(type);
		this.#room(value.length);
		this.#buffer.set(value, this.#at);
		this.#at += value.length;
		this.#pad();
	}
	string(type: number, value: string): void {
		this.bytes(type, Buffer.from(`${value}\0`));
	}
	attributeU8(type: number, value: number): void {
		this.bytes(type, Buffer.from([value]));
	}
	attributeU32(type: number, value: number): void {
		this.u16(8);
		this.u16(type);
		this.u32(value);
	}
	/** A 32-bit number in network order, as nf_tables and conntrack want all of theirs. */
	attributeBe32(type: number, value: number): void {
		this.u16(8);
		this.u16(type);
		this.#room(4);
		this.#at = this.#buffer.writeUInt32BE(value >>> 0, this.#at);
	}
	/** A descriptor number that only the sending side knows. */
	podNamespace(type: number): void {
		this.u16(8);
		this.u16(type);
		this.podNamespaceOffsets.push(this.#at);
		this.u32(0);
	}
	nested(type: number, body: () => void): void {
		const start = this.#at;
		this.u16(0);
		this.u16(type | NLA_F_NESTED);
		body();
		this.#buffer.writeUInt16LE(this.#at - start, start);
	}

	/** All messages so far. */
	finish(): Buffer {
		return Buffer.from(this.#buffer.subarray(0, this.#at));
	}

	#room(bytes: number): void {
		if (this.#at + bytes <= this.#buffer.length) return;
		const grown = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#at + bytes));
		this.#buffer.copy(grown);
		this.#buffer = grown;
	}
	#pad(): void {
		const rest = -this.#at & 3;
		this.#room(rest);
		this.#buffer.fill(0, this.#at, this.#at + rest);
		this.#at += rest;
	}
}
