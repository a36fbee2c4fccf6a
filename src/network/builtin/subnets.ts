/** Which networks the pods get: configured, given by the node's controller, or chosen so that they hit nothing. */
import { createHash } from 'node:crypto';
import { failedPrecondition, invalidArgument } from '#base/errors.ts';
import { formatSubnet, overlaps, parseSubnet, type Subnet } from '../ip.ts';
import type { HostView } from '../netlink/host-view.ts';

/** Prefix lengths that make sense for a bridge of pods. */
const LENGTHS = { 4: [8, 30], 6: [16, 126] } as const;
const RTN_MULTICAST = 5;
/** Every bridge and every link has these: they say nothing about where a network lies. */
const EVERYWHERE = [parseSubnet('fe80::/10'), parseSubnet('ff00::/8'), parseSubnet('224.0.0.0/4')];

/** Networks from the configuration: one per family at most. INVALID_ARGUMENT says what is wrong. */
export function parseSubnets(texts: readonly string[]): Subnet[] {
	const subnets = texts.map(parseSubnet);
	for (const [index, subnet] of subnets.entries()) {
		const [shortest, longest] = LENGTHS[subnet.family];
		if (subnet.length < shortest || subnet.length > longest)
			throw invalidArgument(
				`${formatSubnet(subnet)} cannot be a pod network: give a prefix length from ${shortest} to ${longest}`,
			);
		const twin = subnets.slice(0, index).find(({ family }) => family === subnet.family);
		if (twin)
			throw invalidArgument(
				`${formatSubnet(twin)} and ${formatSubnet(subnet)} are both IPv${subnet.family}: give one pod network per family`,
			);
	}
	return subnets.toSorted((one, other) => one.family - other.family);
}

interface Claim {
	readonly subnet: Subnet;
	readonly what: string;
}

/** Networks that the host reaches by something else than our bridge. */
export function claimsOf(view: HostView, ownBridgeIndex: number | undefined): Claim[] {
	const nameOf = (index: number) => view.links.find((link) => link.index === index)?.name ?? 'no link';
	const counts = (subnet: Subnet, linkIndex: number) =>
		subnet.length > 0 && linkIndex !== ownBridgeIndex && !EVERYWHERE.some((one) => overlaps(one, subnet));
	return [
		...view.routes
			.filter(({ destination, linkIndex, type }) => type !== RTN_MULTICAST && counts(destination, linkIndex))
			.map(({ destination, linkIndex }) => ({
				subnet: destination,
				what: `the route to ${formatSubnet(destination)} through ${nameOf(linkIndex)}`,
			})),
		...view.addresses
			.filter(({ subnet, linkIndex }) => counts(subnet, linkIndex))
			.map(({ subnet, linkIndex }) => ({
				subnet,
				what: `the network ${formatSubnet(subnet)} of ${nameOf(linkIndex)}`,
			})),
	];
}

/** FAILED_PRECONDITION naming both sides when a network is used by something else. */
export function refuseOverlap(subnets: readonly Subnet[], claims: readonly Claim[]): void {
	for (const subnet of subnets) {
		const claim = claims.find((one) => overlaps(one.subnet, subnet));
		if (claim)
			throw failedPrecondition(
				`The pod network ${formatSubnet(subnet)} overlaps ${claim.what}: give another one in network.subnets, or none to have one chosen`,
			);
	}
}

/** IPv4 networks to choose from; nothing well known has its default there. */
const CANDIDATES = Array.from({ length: 32 }, (_, index) => parseSubnet(`10.${85 + index}.0.0/16`)).concat(
	Array.from({ length: 8 }, (_, index) => parseSubnet(`172.${22 + index}.0.0/16`)),
	Array.from({ length: 16 }, (_, index) => parseSubnet(`192.168.${208 + index}.0/24`)),
);

/**
 * A free IPv4 network and, where the node has IPv6, a unique local one (RFC 4193). The search begins at a place
 * that follows from the instance, so that instances which start at the same time do not choose the same.
 */
export function chooseSubnets(
	instance: string,
	machineId: string,
	claims: readonly Claim[],
	withIpv6: boolean,
): Subnet[] {
	const digest = createHash('sha256').update(`gantry/${machineId}/${instance}`).digest();
	const start = digest.readUInt32BE(0) % 32;
	const order = [...CANDIDATES.slice(start), ...CANDIDATES.slice(0, start)];
	const free = (subnet: Subnet) => !claims.some((claim) => overlaps(claim.subnet, subnet));
	const v4 = order.find(free);
	if (v4 === undefined)
		throw failedPrecondition(
			'Every IPv4 network that could be chosen for pods overlaps a route of this node: give one in network.subnets',
		);
	const v6 = Array.from({ length: 16 }, (_, index) => uniqueLocal(digest, index)).find(free);
	return withIpv6 && v6 !== undefined ? [v4, v6] : [v4];
}

/** fd + 40 bits of the digest + a subnet number. */
const uniqueLocal = (digest: Buffer, number: number): Subnet => ({
	family: 6,
	base: (0xfdn << 120n) | (BigInt(`0x${digest.toString('hex', 4, 9)}`) << 80n) | (BigInt(number) << 64n),
	length: 64,
});
