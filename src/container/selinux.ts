import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { failedPrecondition, invalidArgument } from '#base/errors.ts';
import type { SELinuxOption } from '#cri-api';
import type { HostFacts } from '../spec/host-facts.ts';
import type { SeLinuxLabels } from '../spec/input.ts';

/** What the node's policy has for containers, from `lxc_contexts`, a file of the package container-selinux. */
export interface ContainerContexts {
	/** `system_u:system_r:container_t:s0` */
	readonly process: string;
	/** `system_u:object_r:container_file_t:s0` */
	readonly file: string;
}

type Part = 'user' | 'role' | 'type' | 'level';
const PARTS: readonly Part[] = ['user', 'role', 'type', 'level'];

/**
 * The labels that a request asks for; undefined when it asks for none, and in privileged mode, which the CRI defines
 * to be without SELinux. Parts that it leaves out are the policy's for containers. FAILED_PRECONDITION without SELinux:
 * the kubelet sends a label only where a pod has one, and who wrote it there counts on it.
 */
export function seLinuxLabels(
	options: SELinuxOption | null | undefined,
	host: Pick<HostFacts, 'seLinux'>,
	privileged: boolean,
	contexts: () => ContainerContexts | undefined = readContainerContexts,
): SeLinuxLabels | undefined {
	const asked = PARTS.map((part) => options?.[part] ?? '');
	if (privileged || asked.every((part) => part === '')) return undefined;
	if (!host.seLinux)
		throw failedPrecondition(
			`SELinux label ${asked.join(':')} cannot be applied: this kernel has no SELinux`,
		);
	const known = contexts();
	const usual = partsOf(known?.process ?? '');
	const parts = asked.map((part, index) => part || (usual[index] ?? ''));
	if (parts.some((part) => part === '')) {
		throw invalidArgument(
			`SELinux label ${parts.join(':')} is not whole: without lxc_contexts (package container-selinux) user, role, type and level are all needed`,
		);
	}
	// They become part of mount options, which end at a quote and at a comma outside of quotes.
	const odd = parts.find((part) => !/^[\w.:,-]+$/.test(part));
	if (odd !== undefined)
		throw invalidArgument(`SELinux label ${parts.join(':')}: ${JSON.stringify(odd)} is no part of a label`);
	const file = partsOf(known?.file ?? '').slice(0, 3);
	return {
		process: parts.join(':'),
		mount: file.length === 3 ? [...file, parts[3]].join(':') : undefined,
	};
}

/** The level is the rest: `s0:c1,c2` has a colon of its own. */
function partsOf(label: string): readonly string[] {
	const [user = '', role = '', type = '', ...level] = label.split(':');
	return label === '' ? [] : [user, role, type, level.join(':')];
}

/** Lines such as `process = "system_u:system_r:container_t:s0"`. */
export function parseContexts(text: string): ContainerContexts | undefined {
	const value = (name: string): string | undefined =>
		new RegExp(`^\\s*${name}\\s*=\\s*"([^"]*)"`, 'm').exec(text)?.[1];
	const [process, file] = [value('process'), value('file')];
	return process === undefined || file === undefined ? undefined : { process, file };
}

const FOLDER = '/etc/selinux';

function readContainerContexts(): ContainerContexts | undefined {
	const policy = /^\s*SELINUXTYPE\s*=\s*(\S+)/m.exec(readText(join(FOLDER, 'config')))?.[1] ?? 'targeted';
	return parseContexts(readText(join(FOLDER, policy, 'contexts/lxc_contexts')));
}

function readText(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return '';
	}
}
