/** The host's side of the network: the bridge, its addresses and the kernel settings, as plan steps. */
import type { NetStep } from '#runtime';
import { formatAddress, gatewayOf, type Subnet } from '../ip.ts';
import { bridgeAlias, bridgeName, hostLinkIndex, macFor } from '../names.ts';
import type { HostAddress, HostLink, HostView } from '../netlink/host-view.ts';
import { addAddress, makeBridge, removeAddress, setMaster } from '../netlink/route.ts';
import { ERRNO, sysctlStep } from '../netlink/step.ts';

export interface HostFacts {
	readonly instance: string;
	readonly subnets: readonly Subnet[];
	readonly view: HostView;
	/** Whether the kernel has IPv6. */
	readonly ipv6: boolean;
	/** Value of a setting below /proc/sys, '' when there is none. */
	readonly sysctl: (name: string) => string;
}

const DEFAULT_MTU = 1500;

/** Our bridge, if it is there. */
export const findBridge = (instance: string, view: HostView): HostLink | undefined =>
	view.links.find(({ name, kind }) => name === bridgeName(instance) && kind === 'bridge');

/** The index that the bridge has, or will have once it is made. */
export const bridgeIndexOf = (instance: string, view: HostView): number =>
	findBridge(instance, view)?.index ?? hostLinkIndex(instance, 'bridge');

const defaultLinks = (view: HostView): HostLink[] => {
	const indexes = new Set(
		view.routes.filter(({ destination }) => destination.length === 0).map(({ linkIndex }) => linkIndex),
	);
	return view.links.filter(({ index, name }) => indexes.has(index) && name !== 'lo');
};

/** The smallest MTU of the links that lead outside: a pod's packet then passes unbroken. */
export const podMtu = (view: HostView): number =>
	Math.min(...defaultLinks(view).map(({ mtu }) => mtu), DEFAULT_MTU);

/** Brings bridge, addresses and settings to what they should be; what is there already stays as it is. */
export function hostSteps(facts: HostFacts): NetStep[] {
	const { instance, subnets, view } = facts;
	const link = { name: bridgeName(instance), index: bridgeIndexOf(instance, view) };
	const wanted = new Set(subnets.map((subnet) => formatAddress(gatewayOf(subnet))));
	const strays = view.addresses.filter((own) => own.linkIndex === link.index && isStray(own, wanted));
	return [
		makeBridge({
			...link,
			exists: findBridge(instance, view) !== undefined,
			alias: bridgeAlias(instance),
			mac: macFor(`bridge ${instance}`),
			mtu: podMtu(view),
		}),
		...bridgeSettings(facts, link.name),
		...subnets.map((subnet) => addAddress('host', link, { subnet, address: gatewayOf(subnet) })),
		...strays.map((own) => removeAddress(link, own)),
		...forwardingSettings(facts),
	];
}

/** Addresses of an earlier configuration. Link-local ones are the kernel's own. */
function isStray({ address }: HostAddress, wanted: ReadonlySet<string>): boolean {
	const text = formatAddress(address);
	return !wanted.has(text) && !text.startsWith('fe80:');
}

/** Puts the pods of living sandboxes back on a bridge that was lost and made anew. */
export const enslaveSteps = (instance: string, view: HostView, names: ReadonlySet<string>): NetStep[] =>
	view.links
		.filter(({ name, master }) => names.has(name) && master !== bridgeIndexOf(instance, view))
		.map(({ name, index }) =>
			setMaster(name, index, { name: bridgeName(instance), index: bridgeIndexOf(instance, view) }),
		);

function bridgeSettings({ ipv6 }: HostFacts, bridge: string): NetStep[] {
	const v4 = [sysctlStep('host', `net/ipv4/conf/${bridge}/route_localnet`, '1')];
	if (!ipv6) return v4;
	return [
		...v4,
		sysctlStep('host', `net/ipv6/conf/${bridge}/disable_ipv6`, '0', [ERRNO.ENOENT]),
		sysctlStep('host', `net/ipv6/conf/${bridge}/accept_ra`, '0', [ERRNO.ENOENT]),
		sysctlStep('host', `net/ipv6/conf/${bridge}/accept_dad`, '0', [ERRNO.ENOENT]),
	];
}

/**
 * Forwarding. A host that forwards IPv6 no longer listens to router advertisements unless accept_ra is 2, so the
 * links that got their routes that way keep them.
 */
function forwardingSettings({ subnets, ipv6, sysctl, view }: HostFacts): NetStep[] {
	const has = (family: 4 | 6) => subnets.some((subnet) => subnet.family === family);
	const steps: NetStep[] = [];
	if (has(4) && sysctl('net/ipv4/ip_forward') !== '1')
		steps.push(sysctlStep('host', 'net/ipv4/ip_forward', '1'));
	if (!has(6) || !ipv6 || sysctl('net/ipv6/conf/all/forwarding') === '1') return steps;
	const listening = defaultLinks(view).filter(
		({ name }) => sysctl(`net/ipv6/conf/${name}/accept_ra`) === '1',
	);
	return [
		...steps,
		...listening.map(({ name }) => sysctlStep('host', `net/ipv6/conf/${name}/accept_ra`, '2')),
		sysctlStep('host', 'net/ipv6/conf/all/forwarding', '1'),
	];
}
