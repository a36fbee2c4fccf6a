/** IP addresses and networks as numbers, so that they can be counted, compared and written into messages. */
import { isIP } from 'node:net';
import { invalidArgument } from '#base/errors.ts';

export type Family = 4 | 6;

export interface Address {
	readonly family: Family;
	readonly value: bigint;
}

/** A network: all addresses whose first `length` bits are those of `base`; the other bits of `base` are zero. */
export interface Subnet {
	readonly family: Family;
	readonly base: bigint;
	readonly length: number;
}

export const bitsOf = (family: Family): 32 | 128 => (family === 4 ? 32 : 128);

/** The address that a text means, or undefined. IPv4 within IPv6 (`::ffff:1.2.3.4`) is IPv6 here. */
export function parseAddress(text: string): Address | undefined {
	switch (isIP(text)) {
		case 4:
			return { family: 4, value: parseV4(text) };
		case 6:
			return text.includes('%') ? undefined : { family: 6, value: parseV6(text) };
		default:
			return undefined;
	}
}

function parseV4(text: string): bigint {
	return text.split('.').reduce((value, part) => value * 256n + BigInt(part), 0n);
}

function parseV6(text: string): bigint {
	const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
	const plain = dotted ? `${dotted[1]}${hexPair(parseV4(dotted[2] ?? ''))}` : text;
	const [head = '', tail] = plain.split('::');
	const before = head === '' ? [] : head.split(':');
	const after = tail === undefined || tail === '' ? [] : tail.split(':');
	const zeros = new Array<string>(tail === undefined ? 0 : 8 - before.length - after.length).fill('0');
	return [...before, ...zeros, ...after].reduce((value, group) => value * 65536n + BigInt(`0x${group}`), 0n);
}

const hexPair = (v4: bigint): string => `${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;

/** The usual text of an address (IPv6 as RFC 5952 says). */
export function formatAddress({ family, value }: Address): string {
	if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
	const groups = Array.from({ length: 8 }, (_, index) =>
		Number((value >> BigInt(16 * (7 - index))) & 0xffffn),
	);
	const run = longestZeroRun(groups);
	const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
	return run.length < 2
		? text(groups)
		: `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
	let best = { start: 0, length: 0 };
	for (let start = 0; start < groups.length; start++) {
		let length = 0;
		while (groups[start + length] === 0) length++;
		if (length > best.length) best = { start, length };
	}
	return best;
}

/** Network byte order: 4 or 16 bytes. */
export function addressBytes({ family, value }: Address): Buffer {
	return Buffer.from(value.toString(16).padStart(bitsOf(family) / 4, '0'), 'hex');
}

/** The reverse of addressBytes. */
export function addressFromBytes(bytes: Uint8Array): Address {
	return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${Buffer.from(bytes).toString('hex')}`) };
}

/** A network from `10.1.0.0/16`. INVALID_ARGUMENT when it is none or has bits after the prefix. */
export function parseSubnet(text: string): Subnet {
	const [, addressText = '', lengthText = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
	const address = parseAddress(addressText);
	const length = Number(lengthText);
	if (address === undefined || length > bitsOf(address.family))
		throw invalidArgument(`${JSON.stringify(text)} is no network: write it as 10.85.0.0/16 or fd00:85::/64`);
	const subnet = { family: address.family, base: address.value & maskOf(address.family, length), length };
	if (subnet.base !== address.value)
		throw invalidArgument(`${text} has bits after its prefix: the network is ${formatSubnet(subnet)}`);
	return subnet;
}

export const formatSubnet = ({ family, base, length }: Subnet): string =>
	`${formatAddress({ family, value: base })}/${length}`;

/** The prefix mask as a number. */
export function maskOf(family: Family, length: number): bigint {
	const bits = bitsOf(family);
	return ((1n << BigInt(length)) - 1n) << BigInt(bits - length);
}

export function contains(subnet: Subnet, address: Address): boolean {
	return (
		address.family === subnet.family && (address.value & maskOf(subnet.family, subnet.length)) === subnet.base
	);
}

/** Whether two networks share an address. */
export function overlaps(one: Subnet, other: Subnet): boolean {
	if (one.family !== other.family) return false;
	const mask = maskOf(one.family, Math.min(one.length, other.length));
	return (one.base & mask) === (other.base & mask);
}

/** The address at a distance from the start of a network. */
export const addressAt = (subnet: Subnet, offset: bigint): Address => ({
	family: subnet.family,
	value: subnet.base + offset,
});

/** How many addresses a network has. */
export const sizeOf = (subnet: Subnet): bigint => 1n << BigInt(bitsOf(subnet.family) - subnet.length);

/** The gateway of a pod network: its first address after the network's own. */
export const gatewayOf = (subnet: Subnet): Address => addressAt(subnet, 1n);
