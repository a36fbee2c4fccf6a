/** Just enough netlink for the tests; written apart from src/network, so that each checks the other. */
import { execFileSync } from 'node:child_process';
import type { Struct } from '../../runtime/shim/codec.ts';

export const NLM_F = {
	REQUEST: 1,
	ACK: 4,
	ECHO: 8,
	DUMP: 0x300,
	REPLACE: 0x100,
	EXCL: 0x200,
	CREATE: 0x400,
} as const;
export const RTM = { NEWLINK: 16, DELLINK: 17, GETLINK: 18, SETLINK: 19, NEWADDR: 20 } as const;
export const NFNL = { BATCH_BEGIN: 16, BATCH_END: 17, NFT: 10 << 8 } as const;
export const NFT = { NEWTABLE: 0, GETTABLE: 1, DELTABLE: 2, NEWCHAIN: 3 } as const;
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

export function attribute(type: number, value: Buffer | string | number): Buffer {
	const data =
		typeof value === 'string' ? Buffer.from(`${value}\0`) : typeof value === 'number' ? u32(value) : value;
	const head = Buffer.alloc(4);
	head.writeUInt16LE(4 + data.length, 0);
	head.writeUInt16LE(type, 2);
	return padded(Buffer.concat([head, data]));
}

export function u32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32LE(value >>> 0);
	return bytes;
}

export function message(type: number, flags: number, ...payload: Buffer[]): Buffer {
	const body = Buffer.concat(payload);
	const head = Buffer.alloc(16);
	head.writeUInt32LE(16 + body.length, 0);
	head.writeUInt16LE(type, 4);
	head.writeUInt16LE(flags | NLM_F.REQUEST, 6);
	return padded(Buffer.concat([head, body]));
}

/** struct ifinfomsg. */
export function linkHeader(index = 0, flags = 0, change = 0): Buffer {
	const head = Buffer.alloc(16);
	head.writeInt32LE(index, 4);
	head.writeUInt32LE(flags, 8);
	head.writeUInt32LE(change, 12);
	return head;
}

/** struct nfgenmsg; the resource id is big endian. */
export const nfHeader = (family: number, resource = 0): Buffer =>
	Buffer.from([family, 0, resource >> 8, resource & 0xff]);
export const batch = (...messages: Buffer[]): Buffer =>
	Buffer.concat([
		message(NFNL.BATCH_BEGIN, 0, nfHeader(0, 10)),
		...messages,
		message(NFNL.BATCH_END, 0, nfHeader(0, 10)),
	]);

export const step = (label: string, rest: Partial<Struct<'net_step'>>): Struct<'net_step'> => ({
	kind: 0,
	ns: 0,
	label,
	protocol: NETLINK_ROUTE,
	messages: new Uint8Array(),
	netns_fd_offsets: [],
	tolerate: [],
	path: '',
	value: '',
	...rest,
});

/** The messages of a reply: type and payload. */
export function messagesOf(reply: Uint8Array): { type: number; payload: Buffer }[] {
	const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength);
	const found: { type: number; payload: Buffer }[] = [];
	for (let at = 0; at < bytes.length; ) {
		const length = bytes.readUInt32LE(at);
		found.push({ type: bytes.readUInt16LE(at + 4), payload: bytes.subarray(at + 16, at + length) });
		at += (length + 3) & ~3;
	}
	return found;
}

/** A string attribute of a message whose own header takes `head` bytes. */
export function textOf(payload: Buffer, head: number, type: number): string | undefined {
	for (let at = head; at + 4 <= payload.length; at += (payload.readUInt16LE(at) + 3) & ~3) {
		if (payload.readUInt16LE(at + 2) === type)
			return payload.toString('utf8', at + 4, at + payload.readUInt16LE(at) - 1);
	}
	return undefined;
}

/** A network namespace of the test's own. */
export function testNamespace(
	name: string,
): Disposable & { readonly path: string; ip(...args: string[]): string } {
	const ip = (...args: string[]): string => execFileSync('ip', ['-n', name, ...args]).toString();
	execFileSync('ip', ['netns', 'add', name]);
	return {
		path: `/run/netns/${name}`,
		ip,
		[Symbol.dispose]: () => void execFileSync('ip', ['netns', 'del', name]),
	};
}
