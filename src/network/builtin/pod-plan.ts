/** The network plan of a sandbox: from an allocation to the messages that attach and detach it. */
import type { NetStep } from '#runtime';
import type { Bandwidth } from '../bandwidth.ts';
import { formatAddress } from '../ip.ts';
import { bridgeName, hostLinkIndex, hostLinkName, linkAlias, macFor } from '../names.ts';
import { forgetUdpFlows } from '../netlink/conntrack.ts';
import { limitRate } from '../netlink/qdisc.ts';
import { addAddress, addDefaultRoute, linkUp, makeVeth, removeLink } from '../netlink/route.ts';
import { sysctlStep } from '../netlink/step.ts';
import { type Allocation, familiesOf, portsOf } from './allocation.ts';
import { addHostPorts, removeHostPorts } from './firewall.ts';

export const POD_INTERFACE = 'eth0';
/** Above what a namespace is born with: lo is 1, and fallback tunnel devices of loaded modules follow. */
const POD_INDEX = 64;
const LOOPBACK_INDEX = 1;

export interface BridgeFacts {
	readonly instance: string;
	readonly bridgeIndex: number;
	readonly mtu: number;
}

/** From an empty namespace to a pod that is on the network; host ports last, when it can answer. */
export function attachSteps(bridge: BridgeFacts, allocation: Allocation, bandwidth: Bandwidth): NetStep[] {
	const eth0 = { name: POD_INTERFACE, index: POD_INDEX };
	const veth = vethOf(bridge, allocation);
	const hostEnd = { name: veth.hostName, index: veth.hostIndex };
	return [
		makeVeth(veth),
		...(bandwidth.ingress === undefined ? [] : [limitRate('host', hostEnd, bandwidth.ingress)]),
		...(bandwidth.egress === undefined ? [] : [limitRate('pod', eth0, bandwidth.egress)]),
		...settings(allocation),
		linkUp('pod', 'lo', LOOPBACK_INDEX),
		linkUp('pod', eth0.name, eth0.index),
		...allocation.addresses.map((own) => addAddress('pod', eth0, own)),
		...allocation.addresses.map(({ subnet }) => addDefaultRoute(eth0.index, subnet)),
		...forgetFlows(allocation),
		...(portsOf(allocation).length > 0 ? [addHostPorts(bridge.instance, allocation)] : []),
	];
}

/** Takes everything back; what is already gone is fine. */
export function detachSteps(instance: string, allocation: Allocation): NetStep[] {
	return [
		...(portsOf(allocation).length > 0 ? [removeHostPorts(instance, allocation)] : []),
		...forgetFlows(allocation),
		removeLink(hostLinkName(instance, allocation.sandboxId)),
	];
}

/** A flow that began before the host port was mapped goes past it as long as its client keeps sending. */
const forgetFlows = (allocation: Allocation): NetStep[] =>
	portsOf(allocation)
		.filter(({ protocol }) => protocol === 'udp')
		.map(({ family, hostPort }) => forgetUdpFlows(family, hostPort));

const vethOf = ({ instance, bridgeIndex, mtu }: BridgeFacts, { sandboxId, addresses }: Allocation) => ({
	hostName: hostLinkName(instance, sandboxId),
	hostIndex: hostLinkIndex(instance, sandboxId),
	podName: POD_INTERFACE,
	podIndex: POD_INDEX,
	podMac: macFor(addresses.map(({ address }) => formatAddress(address)).join(' ')),
	bridgeIndex,
	bridgeName: bridgeName(instance),
	mtu,
	alias: linkAlias(instance, sandboxId),
});

/**
 * A pod has the addresses and the way out that it is given: no router and no neighbour may tell it others
 * (a pod that may send raw packets could else take over those beside it), and no address is doubted.
 */
const settings = (allocation: Allocation): NetStep[] => [
	sysctlStep('pod', 'net/ipv4/conf/all/accept_redirects', '0'),
	sysctlStep('pod', `net/ipv4/conf/${POD_INTERFACE}/accept_redirects`, '0'),
	...(familiesOf(allocation).includes(6) ? IPV6_SETTINGS : []),
];

const IPV6_SETTINGS: readonly NetStep[] = [
	sysctlStep('pod', 'net/ipv6/conf/all/disable_ipv6', '0'),
	sysctlStep('pod', `net/ipv6/conf/${POD_INTERFACE}/accept_ra`, '0'),
	sysctlStep('pod', `net/ipv6/conf/${POD_INTERFACE}/accept_redirects`, '0'),
	sysctlStep('pod', `net/ipv6/conf/${POD_INTERFACE}/accept_dad`, '0'),
];
