/** The instance's nftables table: masquerade, host ports and the guard of loopback addresses. */

import { shortId } from '#base/ids.ts';
import type { NetStep } from '#runtime';
import {
	type Address,
	addressBytes,
	addressFromBytes,
	type Family,
	formatAddress,
	parseSubnet,
	type Subnet,
} from '../ip.ts';
import { bridgeName, tableName } from '../names.ts';
import {
	addressIn,
	destinationIsLocal,
	destinationNatByMap,
	drop,
	familyIs,
	inputInterfaceIs,
	isDestinationNat,
	jump,
	leave,
	masquerade,
	outputInterfaceIs,
} from '../netlink/expressions.ts';
import { type Batch, type Field, type MapElement, type MapShape, transaction } from '../netlink/nftables.ts';
import { ERRNO } from '../netlink/step.ts';
import type { HostPort } from '../port-mappings.ts';
import { type Allocation, portsOf } from './allocation.ts';

const FAMILIES = [4, 6] as const;
const addressField = (family: Family): Field => (family === 4 ? 'ipv4_addr' : 'ipv6_addr');
/** Host ports on every address of the node, and on a given one. */
const anyMap = (family: Family): string => `hostport${family}`;
const givenMap = (family: Family): string => `hostip${family}`;

/** protocol . [address .] port → pod address . port. */
export const PORT_MAPS: readonly MapShape[] = FAMILIES.flatMap((family) => {
	const value: readonly Field[] = [addressField(family), 'inet_service'];
	return [
		{ name: givenMap(family), key: ['inet_proto', addressField(family), 'inet_service'], value },
		{ name: anyMap(family), key: ['inet_proto', 'inet_service'], value },
	];
});

const LOOPBACK_4 = parseSubnet('127.0.0.0/8');
const LOOPBACK_6 = parseSubnet('::1/128');
const MULTICAST = { 4: parseSubnet('224.0.0.0/4'), 6: parseSubnet('ff00::/8') } as const;
/** Netfilter priorities; raw is before connection tracking and so before any rewriting. */
const PRIORITY = { raw: -300, dstnat: -100, srcnat: 100 } as const;

/** Replaces the whole table in one transaction: no packet sees a part of it, and connections live on. */
export function replaceTable(
	instance: string,
	subnets: readonly Subnet[],
	allocations: Iterable<Allocation>,
): NetStep {
	const elements = [...allocations].flatMap(portElements);
	return transaction(
		`replace table inet ${tableName(instance)} (${elements.length} host ports)`,
		tableName(instance),
		(batch) => {
			batch.table();
			batch.deleteTable();
			batch.table(`host ports and masquerade of ${bridgeName(instance)}`);
			for (const map of PORT_MAPS) batch.map(map);
			guardLoopback(batch, bridgeName(instance));
			mapHostPorts(batch);
			masqueradePods(batch, bridgeName(instance), subnets);
			addElements(batch, elements);
		},
	);
}

/** Removes the table; a missing one is fine. */
export const removeTable = (instance: string): NetStep =>
	transaction(`remove table inet ${tableName(instance)}`, tableName(instance), (batch) => {
		batch.table();
		batch.deleteTable();
	});

/**
 * route_localnet lets connections to host ports on 127.0.0.1 be routed to pods; it also lets packets for 127/8
 * in from the bridge. Replies are still addressed to the bridge here, so whatever names 127/8 is no reply.
 */
function guardLoopback(batch: Batch, bridge: string): void {
	batch.chain('guard', { type: 'filter', hook: 'prerouting', priority: PRIORITY.raw });
	for (const side of ['source', 'destination'] as const)
		batch.rule('guard', `no loopback ${side} from pods`, [
			...inputInterfaceIs(bridge),
			...familyIs(4),
			...addressIn(side, LOOPBACK_4),
			drop,
		]);
}

/**
 * Connections to ::1 are left alone and so refused at once: the kernel takes no packet for ::1 from a bridge, and
 * where bridge-nf-call-ip6tables is on the replies would be such packets. Clients of `localhost` go on to 127.0.0.1.
 */
function mapHostPorts(batch: Batch): void {
	batch.chain('hostports');
	batch.chain('prerouting', { type: 'nat', hook: 'prerouting', priority: PRIORITY.dstnat });
	batch.chain('output', { type: 'nat', hook: 'output', priority: PRIORITY.dstnat });
	for (const chain of ['prerouting', 'output'])
		batch.rule(chain, '', [...destinationIsLocal, jump('hostports')]);
	batch.rule('hostports', '', [...familyIs(6), ...addressIn('destination', LOOPBACK_6), leave]);
	for (const family of FAMILIES) {
		batch.rule('hostports', '', [
			...familyIs(family),
			...destinationNatByMap(givenMap(family), family, true),
		]);
		batch.rule('hostports', '', [...familyIs(family), ...destinationNatByMap(anyMap(family), family, false)]);
	}
}

function masqueradePods(batch: Batch, bridge: string, subnets: readonly Subnet[]): void {
	batch.chain('postrouting', { type: 'nat', hook: 'postrouting', priority: PRIORITY.srcnat });
	const toPods = outputInterfaceIs(bridge);
	batch.rule('postrouting', 'host port on a loopback address', [
		...toPods,
		...familyIs(4),
		...addressIn('source', LOOPBACK_4),
		masquerade,
	]);
	for (const subnet of subnets) {
		const fromPods = [...familyIs(subnet.family), ...addressIn('source', subnet)];
		batch.rule('postrouting', 'pod to a host port of this bridge', [
			...toPods,
			...fromPods,
			...isDestinationNat,
			masquerade,
		]);
		batch.rule('postrouting', 'pod to the outside', [
			...outputInterfaceIs(bridge, true),
			...fromPods,
			...addressIn('destination', MULTICAST[subnet.family], true),
			masquerade,
		]);
	}
}

interface PortElement {
	readonly map: string;
	readonly element: MapElement;
}

/** Adds the host ports of a sandbox. */
export const addHostPorts = (instance: string, allocation: Allocation): NetStep =>
	transaction(
		`map ${portCount(allocation)} in table inet ${tableName(instance)}`,
		tableName(instance),
		(batch) => addElements(batch, portElements(allocation)),
	);

/**
 * Removes the host ports of a sandbox. Each is added first, which changes nothing where it is there: so a missing
 * one is fine, while one that leads elsewhere by now (EEXIST, EBUSY) belongs to another sandbox and stays.
 */
export const removeHostPorts = (instance: string, allocation: Allocation): NetStep =>
	transaction(
		`remove ${portCount(allocation)} from table inet ${tableName(instance)}`,
		tableName(instance),
		(batch) => {
			const elements = portElements(allocation);
			addElements(batch, elements);
			for (const { map, element } of elements) batch.deleteElements(map, [element]);
		},
		[ERRNO.ENOENT, ERRNO.EEXIST, ERRNO.EBUSY],
	);

function addElements(batch: Batch, elements: readonly PortElement[]): void {
	for (const { name } of PORT_MAPS)
		batch.addElements(
			name,
			elements.filter(({ map }) => map === name).map(({ element }) => element),
		);
}

const portCount = (allocation: Allocation): string => {
	const { length } = portElements(allocation);
	return `${length} host port${length === 1 ? '' : 's'}`;
};

/** The beginning of an element's comment: tells whose it is. */
export const ownerComment = (sandboxId: string): string => shortId(sandboxId);

/** A key of the maps in words: `tcp 8080`, `udp 192.0.2.1 53`. Every field takes whole words of four bytes. */
export function describeHostKey(key: Uint8Array): string {
	const bytes = Buffer.from(key);
	const protocol =
		Object.entries(PROTOCOL).find(([, number]) => number === bytes[0])?.[0] ?? `protocol ${bytes[0]}`;
	const address = bytes.subarray(4, -4);
	const at = address.length === 0 ? '' : `${formatAddress(addressFromBytes(address))} `;
	return `${protocol} ${at}${bytes.readUInt16BE(bytes.length - 4)}`;
}

function portElements(allocation: Allocation): PortElement[] {
	const comment = `${ownerComment(allocation.sandboxId)} ${allocation.pod}`;
	return portsOf(allocation).map((port) => {
		const pod = allocation.addresses.find(({ address }) => address.family === port.family);
		if (pod === undefined) throw new RangeError(`no IPv${port.family} address for a host port`);
		return {
			map: port.hostAddress === undefined ? anyMap(port.family) : givenMap(port.family),
			element: { key: hostKey(port), value: podValue(pod.address, port.containerPort), comment },
		};
	});
}

const PROTOCOL = { tcp: 6, udp: 17, sctp: 132 } as const;
const portBytes = (port: number): Buffer => Buffer.from([port >> 8, port & 255, 0, 0]);

function hostKey({ protocol, hostAddress, hostPort }: HostPort): Buffer {
	const address = hostAddress === undefined ? [] : [addressBytes(hostAddress)];
	return Buffer.concat([Buffer.from([PROTOCOL[protocol], 0, 0, 0]), ...address, portBytes(hostPort)]);
}

const podValue = (address: Address, port: number): Buffer =>
	Buffer.concat([addressBytes(address), portBytes(port)]);
