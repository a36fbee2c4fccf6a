import { invalidArgument } from '#base/errors.ts';
import type { Config } from '../config/types.ts';
import type { PodNamespaces } from '../spec/input.ts';

/** kernel.* names that belong to the IPC namespace. */
const IPC = /^(kernel\.(shm|msg|sem)[a-z_]*|fs\.mqueue\..+)$/;

/** The largest group that the kernel takes in net.ipv4.ping_group_range. */
const MAX_PING_GROUP = 2 ** 31 - 1;

/** What the configuration says for every pod: its options first, then its own list. */
export function defaultSysctls(
	runtime: Pick<Config['runtime'], 'defaultSysctls' | 'enableUnprivilegedPorts' | 'enableUnprivilegedIcmp'>,
	{ user }: PodNamespaces,
): Readonly<Record<string, string>> {
	return {
		...(runtime.enableUnprivilegedPorts && { 'net.ipv4.ip_unprivileged_port_start': '0' }),
		...(runtime.enableUnprivilegedIcmp && { 'net.ipv4.ping_group_range': `0 ${lastGroup(user)}` }),
		...runtime.defaultSysctls,
	};
}

/** The kernel refuses a range that ends in a group that the user namespace does not map. */
function lastGroup(user: PodNamespaces['user']): number {
	const last = user?.gids.map(({ containerID, size }) => containerID + size - 1) ?? [];
	return Math.min(MAX_PING_GROUP, ...(last.length > 0 ? [Math.max(...last)] : []));
}

/**
 * The sysctls of a pod: those of the configuration where the pod has the namespace for them, then its own.
 * INVALID_ARGUMENT for one that would change the node.
 */
export function podSysctls(
	requested: Readonly<Record<string, string>>,
	defaults: Readonly<Record<string, string>>,
	namespaces: PodNamespaces,
): Readonly<Record<string, string>> {
	for (const [name, value] of Object.entries(requested)) checkSysctl(name, value, namespaces);
	const usable = Object.entries(defaults).filter(([name]) => reasonAgainst(name, namespaces) === undefined);
	return { ...Object.fromEntries(usable), ...requested };
}

function checkSysctl(name: string, value: string, namespaces: PodNamespaces): void {
	const shown = `linux.sysctls[${JSON.stringify(name)}]`;
	if (!/^[a-zA-Z0-9_-]+([./][a-zA-Z0-9_-]+)+$/.test(name))
		throw invalidArgument(`${shown} is not the name of a sysctl`);
	if (/[\0\n]/.test(value)) throw invalidArgument(`${shown} has a value of more than one line`);
	const reason = reasonAgainst(name, namespaces);
	if (reason !== undefined) throw invalidArgument(`${shown} cannot be set: ${reason}`);
}

function reasonAgainst(name: string, { hostNetwork, hostIpc }: PodNamespaces): string | undefined {
	const dotted = name.replaceAll('/', '.');
	if (dotted.startsWith('net.')) return hostNetwork ? 'the pod uses the network of the node' : undefined;
	if (IPC.test(dotted)) return hostIpc ? 'the pod uses the IPC namespace of the node' : undefined;
	return 'it belongs to no namespace of a pod and would change the whole node';
}
