import { mkdir, readFile, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allOf } from '#base/all-of.ts';
import { errnoOf, fromSystemError } from '#base/errors.ts';
import { hostnameFile, hostsFile, resolvConf } from '../network/files.ts';
import type { NetworkResult } from '../network/types.ts';
import { POD_FILES } from '../spec/with-pod-files.ts';
import type { SandboxRequest } from './check-request.ts';

/** Everyone in the pod may read them. */
const MODE = { mode: 0o644 };

/** The folder with resolv.conf, hostname and hosts, as far as they are known before the sandbox is made. */
export async function writePodFiles(
	folder: string,
	hostname: string,
	request: SandboxRequest,
	ips: readonly string[],
): Promise<void> {
	const hosts = request.namespaces.hostNetwork ? await readIfThere('/etc/hosts') : hostsFile(hostname, ips);
	const dns = resolvConf(request.dns, await readIfThere('/etc/resolv.conf'));
	try {
		await mkdir(folder, { mode: 0o700 });
	} catch (error) {
		throw fromSystemError(`Cannot make ${folder}`, error);
	}
	await allOf([
		write(folder, 'resolvConf', dns),
		write(folder, 'hostname', hostnameFile(hostname)),
		write(folder, 'hosts', hosts),
	]);
}

/**
 * What only the network's answer tells: the pod's own name, unless its addresses `wereKnown`, and name servers when the
 * request names none.
 */
export async function writeNetworkFiles(
	folder: string,
	hostname: string,
	request: SandboxRequest,
	result: NetworkResult,
	wereKnown: boolean,
): Promise<void> {
	if (!wereKnown) await write(folder, 'hosts', hostsFile(hostname, result.ips));
	if (result.dns === undefined || request.dns.servers.length > 0) return;
	const text = resolvConf(result.dns, await readIfThere('/etc/resolv.conf'));
	await write(folder, 'resolvConf', text);
}

/** Doing it again is fine. By name, all at once: going through the folder takes three times as long. */
export async function removePodFiles(folder: string): Promise<void> {
	const unlinked = Object.values(POD_FILES).map((name) => unlink(join(folder, name)));
	await Promise.allSettled(unlinked);
	// What is missing, or what else is there, is the matter of rm.
	await rmdir(folder).catch(() => rm(folder, { recursive: true, force: true }));
}

async function write(folder: string, file: keyof typeof POD_FILES, text: string): Promise<void> {
	const path = join(folder, POD_FILES[file]);
	try {
		await writeFile(path, text, MODE);
	} catch (error) {
		throw fromSystemError(`Cannot write ${path}`, error);
	}
}

async function readIfThere(path: string): Promise<string> {
	try {
		return await readFile(path, 'utf8');
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return '';
		throw error;
	}
}
