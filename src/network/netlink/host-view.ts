/** What the dumps of links, addresses and routes say. */
import type { NetResult } from '#runtime';
import { type Address, addressFromBytes, bitsOf, type Family, maskOf, type Subnet } from '../ip.ts';
import { attributesAfter, readAttributes, readMessages, readString, readU32 } from './reader.ts';
import { AF, IFA, IFLA, IFLA_INFO, RTA, RTM } from './route.ts';

export interface HostLink {
	readonly index: number;
	readonly name: string;
	readonly alias: string;
	/** `bridge`, `veth`, …; '' for hardware. */
	readonly kind: string;
	readonly mtu: number;
	/** Index of the bridge that it is a port of, 0 if none. */
	readonly master: number;
}
export interface HostAddress {
	readonly linkIndex: number;
	readonly address: Address;
	readonly subnet: Subnet;
}
export interface HostRoute {
	/** A default route has length 0. */
	readonly destination: Subnet;
	/** 0: none (blackhole, multipath). */
	readonly linkIndex: number;
	/** RTN_*: 1 unicast, 2 local, 3 broadcast … */
	readonly type: number;
}
export interface HostView {
	readonly links: readonly HostLink[];
	readonly addresses: readonly HostAddress[];
	readonly routes: readonly HostRoute[];
}

const familyOf = (af: number): Family | undefined => (af === AF[4] ? 4 : af === AF[6] ? 6 : undefined);

/** Decodes the replies to the steps of dumpHost. */
export function readHostView(results: readonly NetResult[]): HostView {
	const messages = results.flatMap(({ reply }) => readMessages(reply));
	const of = <T>(type: number, read: (body: Buffer) => T | undefined): T[] =>
		messages.filter((message) => message.type === type).flatMap(({ body }) => read(body) ?? []);
	return {
		links: of(RTM.NEWLINK, readLink),
		addresses: of(RTM.NEWADDR, readAddress),
		routes: of(RTM.NEWROUTE, readRoute),
	};
}

function readLink(body: Buffer): HostLink {
	const attributes = attributesAfter(16, body);
	const info = attributes.get(IFLA.LINKINFO);
	return {
		index: body.readInt32LE(4),
		name: readString(attributes.get(IFLA.IFNAME)),
		alias: readString(attributes.get(IFLA.IFALIAS)),
		kind: info === undefined ? '' : readString(readAttributes(info).get(IFLA_INFO.KIND)),
		mtu: readU32(attributes.get(IFLA.MTU)) ?? 0,
		master: readU32(attributes.get(IFLA.MASTER)) ?? 0,
	};
}

function readAddress(body: Buffer): HostAddress | undefined {
	const attributes = attributesAfter(8, body);
	const family = familyOf(body.readUInt8(0));
	const address = addressOf(family, attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS));
	if (family === undefined || address === undefined) return undefined;
	return { linkIndex: body.readUInt32LE(4), address, subnet: subnetOf(family, address, body.readUInt8(1)) };
}

function readRoute(body: Buffer): HostRoute | undefined {
	const attributes = attributesAfter(12, body);
	const family = familyOf(body.readUInt8(0));
	if (family === undefined) return undefined;
	const destination = addressOf(family, attributes.get(RTA.DST)) ?? { family, value: 0n };
	return {
		destination: subnetOf(family, destination, body.readUInt8(1)),
		linkIndex: readU32(attributes.get(RTA.OIF)) ?? 0,
		type: body.readUInt8(7),
	};
}

function addressOf(family: Family | undefined, bytes: Buffer | undefined): Address | undefined {
	const isWhole = family !== undefined && bytes?.length === bitsOf(family) / 8;
	return isWhole ? addressFromBytes(bytes) : undefined;
}

const subnetOf = (family: Family, { value }: Address, length: number): Subnet => ({
	family,
	base: value & maskOf(family, length),
	length,
});
