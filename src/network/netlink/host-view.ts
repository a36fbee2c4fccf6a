/** What the dumps of links, addresses and routes say. */
import type { NetResult } from '#runtime';
import { type Address, addressFromBytes, type Family, maskOf, type Subnet } from '../ip.ts';
import { readAttributes, readMessages, readString } from './reader.ts';
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
	const attributes = readAttributes(body.subarray(16));
	const info = attributes.get(IFLA.LINKINFO);
	return {
		index: body.readInt32LE(4),
		name: readString(attributes.get(IFLA.IFNAME)),
		alias: readString(attributes.get(IFLA.IFALIAS)),
		kind: info === undefined ? '' : readString(readAttributes(info).get(IFLA_INFO.KIND)),
		mtu: attributes.get(IFLA.MTU)?.readUInt32LE() ?? 0,
		master: attributes.get(IFLA.MASTER)?.readUInt32LE() ?? 0,
	};
}

function readAddress(body: Buffer): HostAddress | undefined {
	const family = familyOf(body.readUInt8(0));
	const attributes = readAttributes(body.subarray(8));
	const bytes = attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS);
	if (family === undefined || bytes === undefined) return undefined;
	const address = addressFromBytes(bytes);
	return { linkIndex: body.readUInt32LE(4), address, subnet: subnetOf(family, address, body.readUInt8(1)) };
}

function readRoute(body: Buffer): HostRoute | undefined {
	const family = familyOf(body.readUInt8(0));
	if (family === undefined) return undefined;
	const attributes = readAttributes(body.subarray(12));
	const bytes = attributes.get(RTA.DST);
	const destination = bytes === undefined ? { family, value: 0n } : addressFromBytes(bytes);
	return {
		destination: subnetOf(family, destination, body.readUInt8(1)),
		linkIndex: attributes.get(RTA.OIF)?.readUInt32LE() ?? 0,
		type: body.readUInt8(7),
	};
}

const subnetOf = (family: Family, { value }: Address, length: number): Subnet => ({
	family,
	base: value & maskOf(family, length),
	length,
});
