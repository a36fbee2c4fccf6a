import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '#base/errors.ts';
import { hostnameFile, hostsFile, resolvConf } from '../network/files.ts';
import type { NetworkResult } from '../network/types.ts';
import { POD_FILES } from '../spec/with-pod-files.ts';
import type { SandboxRequest } from './check-request.ts';

/** Everyone in the pod may read them. */
const MODE = { mode: 0o644 };

/** The folder with resolv.conf and hostname, and with the node's network also hosts: known before the sandbox is made. */
export async function writePodFiles(
	folder: string,
	hostname: string,
	request: SandboxRequest,
): Promise<void> {
	const hosts = request.namespaces.hostNetwork ? await readIfThere('/etc/hosts') : hostsFile(hostname, []);
	await mkdir(folder, { mode: 0o700 });
	await Promise.all([
		writeFile(
			join(folder, POD_FILES.resolvConf),
			resolvConf(request.dns, await readIfThere('/etc/resolv.conf')),
			MODE,
		),
		writeFile(join(folder, POD_FILES.hostname), hostnameFile(hostname), MODE),
		writeFile(join(folder, POD_FILES.hosts), hosts, MODE),
	]);
}

/** What only the network's answer tells: the pod's own name, and name servers when the request names none. */
export async function writeNetworkFiles(
	folder: string,
	hostname: string,
	request: SandboxRequest,
	result: NetworkResult,
): Promise<void> {
	await writeFile(join(folder, POD_FILES.hosts), hostsFile(hostname, result.ips), MODE);
	if (result.dns === undefined || request.dns.servers.length > 0) return;
	const text = resolvConf(result.dns, await readIfThere('/etc/resolv.conf'));
	await writeFile(join(folder, POD_FILES.resolvConf), text, MODE);
}

async function readIfThere(path: string): Promise<string> {
	try {
		return await readFile(path, 'utf8');
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return '';
		throw error;
	}
}
