import { invalidArgument } from '#base/errors.ts';
import type { PodNamespaces } from '../spec/input.ts';

/** kernel.* names that belong to the IPC namespace. */
const IPC = /^(kernel\.(shm|msg|sem)[a-z_]*|fs\.mqueue\..+)$/;

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
