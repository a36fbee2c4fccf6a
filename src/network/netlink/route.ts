/** rtnetlink: links, addresses and routes (linux/rtnetlink.h, if_link.h, if_addr.h). */
import {
	type Address,
	addressBytes,
	bitsOf,
	type Family,
	formatAddress,
	formatSubnet,
	gatewayOf,
	type Subnet,
} from '../ip.ts';
import { ERRNO, routeStep, type Where } from './step.ts';
import {
	type NetlinkWriter,
	NLM_F_ACK,
	NLM_F_CREATE,
	NLM_F_DUMP,
	NLM_F_EXCL,
	NLM_F_REPLACE,
} from './writer.ts';

export const RTM = {
	NEWLINK: 16,
	DELLINK: 17,
	GETLINK: 18,
	NEWADDR: 20,
	DELADDR: 21,
	GETADDR: 22,
	NEWROUTE: 24,
	GETROUTE: 26,
} as const;
export const IFLA = {
	ADDRESS: 1,
	IFNAME: 3,
	MTU: 4,
	MASTER: 10,
	LINKINFO: 18,
	IFALIAS: 20,
	NET_NS_FD: 28,
} as const;
export const IFLA_INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const IFLA_BRPORT_MODE = 4;
const VETH_INFO_PEER = 1;
export const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const;
const IFA_F_NODAD = 2;
export const RTA = { DST: 1, OIF: 4, GATEWAY: 5, TABLE: 15 } as const;
const IFF_UP = 1;
const AF_UNSPEC = 0;
export const AF = { 4: 2, 6: 10 } as const satisfies Record<Family, number>;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;

/** A link by its index or, with index 0, by the name attribute that follows. */
function linkHeader(writer: NetlinkWriter, index: number, up: boolean): void {
	writer.u8(AF_UNSPEC);
	writer.u8(0);
	writer.u16(0);
	writer.u32(index);
	writer.u32(up ? IFF_UP : 0);
	writer.u32(up ? IFF_UP : 0);
}

export interface BridgeOptions {
	readonly name: string;
	/** The index that a new bridge gets, or that of the existing one. */
	readonly index: number;
	readonly exists: boolean;
	readonly alias: string;
	readonly mac: Buffer;
	readonly mtu: number;
}

/** A bridge that is up; an existing one gets this MAC and MTU. The alias needs a message of its own: a new link takes none. */
export const makeBridge = ({ name, index, exists, alias, mac, mtu }: BridgeOptions) =>
	routeStep('host', `make bridge ${name} (mtu ${mtu}), up`, (writer) => {
		writer.message(RTM.NEWLINK, NLM_F_ACK | NLM_F_CREATE, () => {
			linkHeader(writer, index, true);
			// Before 6.2 a link that is up may not even be given the name that it has (EBUSY).
			if (!exists) writer.string(IFLA.IFNAME, name);
			writer.bytes(IFLA.ADDRESS, mac);
			writer.attributeU32(IFLA.MTU, mtu);
			writer.nested(IFLA.LINKINFO, () => writer.string(IFLA_INFO.KIND, 'bridge'));
		});
		writer.message(RTM.NEWLINK, NLM_F_ACK, () => {
			linkHeader(writer, index, true);
			writer.string(IFLA.IFALIAS, alias);
		});
	});

export interface VethOptions {
	readonly hostName: string;
	readonly hostIndex: number;
	readonly podName: string;
	readonly podIndex: number;
	readonly podMac: Buffer;
	readonly bridgeIndex: number;
	readonly bridgeName: string;
	readonly mtu: number;
	readonly alias: string;
}

/**
 * A veth pair whose other end is made in the pod's namespace at once. Both ends have an index that we chose, so
 * the messages that follow need no look-up. The second message gives the alias, and hairpin mode: where
 * bridge-nf-call-iptables is on, a pod that reaches itself through a host port comes back through its own port.
 */
export const makeVeth = (veth: VethOptions) =>
	routeStep(
		'host',
		`make ${veth.hostName} on ${veth.bridgeName}, with ${veth.podName} in the pod`,
		(writer) => {
			writer.message(RTM.NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, () => {
				linkHeader(writer, veth.hostIndex, true);
				writer.string(IFLA.IFNAME, veth.hostName);
				writer.attributeU32(IFLA.MTU, veth.mtu);
				writer.attributeU32(IFLA.MASTER, veth.bridgeIndex);
				writer.nested(IFLA.LINKINFO, () => {
					writer.string(IFLA_INFO.KIND, 'veth');
					writer.nested(IFLA_INFO.DATA, () => writer.nested(VETH_INFO_PEER, () => podEnd(writer, veth)));
				});
			});
			writer.message(RTM.NEWLINK, NLM_F_ACK, () => {
				linkHeader(writer, veth.hostIndex, true);
				writer.string(IFLA.IFALIAS, veth.alias);
				hairpin(writer);
			});
		},
	);

function podEnd(writer: NetlinkWriter, veth: VethOptions): void {
	linkHeader(writer, veth.podIndex, false);
	writer.string(IFLA.IFNAME, veth.podName);
	writer.bytes(IFLA.ADDRESS, veth.podMac);
	writer.attributeU32(IFLA.MTU, veth.mtu);
	writer.podNamespace(IFLA.NET_NS_FD);
}

/** Puts a link on a bridge, in hairpin mode as makeVeth does. */
export const setMaster = (name: string, index: number, bridge: { name: string; index: number }) =>
	routeStep('host', `put ${name} on ${bridge.name}`, (writer) => {
		writer.message(RTM.NEWLINK, NLM_F_ACK, () => {
			linkHeader(writer, index, true);
			writer.attributeU32(IFLA.MASTER, bridge.index);
		});
		writer.message(RTM.NEWLINK, NLM_F_ACK, () => {
			linkHeader(writer, index, true);
			hairpin(writer);
		});
	});

function hairpin(writer: NetlinkWriter): void {
	writer.nested(IFLA.LINKINFO, () => {
		writer.string(IFLA_INFO.SLAVE_KIND, 'bridge');
		writer.nested(IFLA_INFO.SLAVE_DATA, () => writer.attributeU8(IFLA_BRPORT_MODE, 1));
	});
}

/** Removes a link of the host; a missing one is fine. */
export const removeLink = (name: string) =>
	routeStep(
		'host',
		`remove ${name}`,
		(writer) =>
			writer.message(RTM.DELLINK, NLM_F_ACK, () => {
				linkHeader(writer, 0, false);
				writer.string(IFLA.IFNAME, name);
			}),
		[ERRNO.ENODEV],
	);

export const linkUp = (where: Where, name: string, index: number) =>
	routeStep(where, `${name} up${where === 'pod' ? ' in the pod' : ''}`, (writer) =>
		writer.message(RTM.NEWLINK, NLM_F_ACK, () => linkHeader(writer, index, true)),
	);

/** An address and its network, such as 10.85.0.3/16. */
export interface InterfaceAddress {
	readonly address: Address;
	readonly subnet: Subnet;
}

const textOf = ({ address, subnet }: InterfaceAddress) => `${formatAddress(address)}/${subnet.length}`;

/** IPv6 without duplicate address detection: the address is ours by allocation and usable at once. */
export const addAddress = (where: Where, link: { name: string; index: number }, own: InterfaceAddress) =>
	routeStep(
		where,
		`address ${textOf(own)} on ${link.name}${where === 'pod' ? ' in the pod' : ''}`,
		(writer) =>
			writer.message(RTM.NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, () =>
				addressBody(writer, link.index, own),
			),
	);

export const removeAddress = (link: { name: string; index: number }, own: InterfaceAddress) =>
	routeStep(
		'host',
		`remove address ${textOf(own)} from ${link.name}`,
		(writer) => writer.message(RTM.DELADDR, NLM_F_ACK, () => addressBody(writer, link.index, own)),
		[ERRNO.EADDRNOTAVAIL, ERRNO.ENODEV],
	);

function addressBody(writer: NetlinkWriter, index: number, { address, subnet }: InterfaceAddress): void {
	writer.u8(AF[address.family]);
	writer.u8(subnet.length);
	writer.u8(address.family === 6 ? IFA_F_NODAD : 0);
	writer.u8(0);
	writer.u32(index);
	const bytes = addressBytes(address);
	writer.bytes(IFA.LOCAL, bytes);
	writer.bytes(IFA.ADDRESS, bytes);
	if (address.family === 4) writer.bytes(IFA.BROADCAST, addressBytes(lastAddress(subnet)));
}

const lastAddress = ({ family, base, length }: Subnet): Address => ({
	family,
	value: base + (1n << BigInt(bitsOf(family) - length)) - 1n,
});

/** The default route of a pod through the gateway of its network. */
export const addDefaultRoute = (index: number, subnet: Subnet) => {
	const gateway = gatewayOf(subnet);
	return routeStep(
		'pod',
		`default route through ${formatAddress(gateway)} (${formatSubnet(subnet)}) in the pod`,
		(writer) =>
			writer.message(RTM.NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, () => {
				writer.u8(AF[subnet.family]);
				writer.u8(0);
				writer.u8(0);
				writer.u8(0);
				writer.u8(RT_TABLE_MAIN);
				writer.u8(RTPROT_STATIC);
				writer.u8(0);
				writer.u8(RTN_UNICAST);
				writer.u32(0);
				writer.bytes(RTA.GATEWAY, addressBytes(gateway));
				writer.attributeU32(RTA.OIF, index);
			}),
	);
};

/** Asks for all links, all addresses and all routes of the host. */
export const dumpHost = () => [
	routeStep('host', 'list links', (writer) =>
		writer.message(RTM.GETLINK, NLM_F_DUMP, () => linkHeader(writer, 0, false)),
	),
	routeStep('host', 'list addresses', (writer) =>
		writer.message(RTM.GETADDR, NLM_F_DUMP, () => emptyHeader(writer, 2)),
	),
	routeStep('host', 'list routes', (writer) =>
		writer.message(RTM.GETROUTE, NLM_F_DUMP, () => emptyHeader(writer, 3)),
	),
];

function emptyHeader(writer: NetlinkWriter, words: number): void {
	for (let word = 0; word < words; word++) writer.u32(0);
}
