/** Steps of a network plan: what is sent to the kernel, in which namespace, and how it is called for people. */
import { CONSTANTS, type NetStep } from '#runtime';
import { NetlinkWriter } from './writer.ts';

/** Protocols of AF_NETLINK sockets. */
const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;

export type Where = 'host' | 'pod';
const NAMESPACE = { host: CONSTANTS.NET_HOST, pod: CONSTANTS.NET_POD } as const;

/** errno values that a step may tolerate. */
export const ERRNO = {
	ENOENT: 2,
	EBUSY: 16,
	EEXIST: 17,
	ENODEV: 19,
	EINVAL: 22,
	EOPNOTSUPP: 95,
	EADDRNOTAVAIL: 99,
} as const;

function netlinkStep(
	protocol: number,
	where: Where,
	label: string,
	build: (writer: NetlinkWriter) => void,
	tolerate: readonly number[],
): NetStep {
	const writer = new NetlinkWriter();
	build(writer);
	return {
		kind: CONSTANTS.NET_NETLINK,
		ns: NAMESPACE[where],
		label,
		protocol,
		messages: writer.finish(),
		netns_fd_offsets: writer.podNamespaceOffsets,
		tolerate,
		path: '',
		value: '',
	};
}

/** rtnetlink messages. A tolerated errno counts as done. */
export const routeStep = (
	where: Where,
	label: string,
	build: (writer: NetlinkWriter) => void,
	tolerate: readonly number[] = [],
): NetStep => netlinkStep(NETLINK_ROUTE, where, label, build, tolerate);

/** nfnetlink messages, in the host's namespace. */
export const netfilterStep = (
	label: string,
	build: (writer: NetlinkWriter) => void,
	tolerate: readonly number[] = [],
): NetStep => netlinkStep(NETLINK_NETFILTER, 'host', label, build, tolerate);

/** Writes a file below /proc/sys; `name` with slashes. */
export function sysctlStep(
	where: Where,
	name: string,
	value: string,
	tolerate: readonly number[] = [],
): NetStep {
	return {
		kind: CONSTANTS.NET_SYSCTL,
		ns: NAMESPACE[where],
		label: `set ${name} to ${value}${where === 'pod' ? ' in the pod' : ''}`,
		protocol: 0,
		messages: new Uint8Array(),
		netns_fd_offsets: [],
		tolerate,
		path: `/proc/sys/${name}`,
		value,
	};
}
