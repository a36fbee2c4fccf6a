import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import type { MountInit } from '#cri-api';
import { hostnameOf } from './sandbox-config.ts';

/** The pod's own /etc/hosts with its hostAliases, as a mount; nothing when there are none (the daemon writes one then). */
export async function hostsMount(
	pod: V1Pod,
	ips: readonly string[],
	folder: string,
): Promise<readonly MountInit[]> {
	if ((pod.spec?.hostAliases ?? []).length === 0) return [];
	const path = join(folder, 'hosts');
	await mkdir(folder, { recursive: true });
	await writeFile(path, hostsText(pod, ips), { mode: 0o644 });
	return [{ container_path: '/etc/hosts', host_path: path }];
}

export function hostsText(pod: V1Pod, ips: readonly string[]): string {
	const lines = [
		['127.0.0.1', 'localhost'],
		['::1', 'localhost', 'ip6-localhost', 'ip6-loopback'],
		...ips.map((ip) => [ip, hostnameOf(pod)]),
		...(pod.spec?.hostAliases ?? []).map((alias) => [alias.ip, ...(alias.hostnames ?? [])]),
	];
	return `${lines.map((words) => words.join('\t')).join('\n')}\n`;
}
