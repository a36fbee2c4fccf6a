/** The text of a sandbox's resolv.conf, hosts and hostname. */
import { invalidArgument } from '#base/errors.ts';
import { parseAddress } from './ip.ts';

export interface DnsSettings {
	readonly servers: readonly string[];
	readonly searches: readonly string[];
	readonly options: readonly string[];
}

/** A value with one of these would begin a line of its own. */
const HAS_BREAK = /[\n\r\0]/;

/**
 * resolv.conf(5) of a sandbox: what the request says, or where it says nothing the host's own, unchanged.
 * INVALID_ARGUMENT when a server is no IP address or a value would begin a line of its own.
 */
export function resolvConf(dns: DnsSettings | undefined, host: string): string {
	const { servers = [], searches = [], options = [] } = dns ?? {};
	if (servers.length + searches.length + options.length === 0) return host;
	for (const server of servers)
		if (parseAddress(server.split('%')[0] ?? '') === undefined)
			throw invalidArgument(`DNS server ${JSON.stringify(server)} is no IP address`);
	for (const value of [...servers, ...searches, ...options])
		if (value === '' || HAS_BREAK.test(value) || value.includes(' '))
			throw invalidArgument(`DNS setting ${JSON.stringify(value)} must be one word`);
	const lines = [
		...servers.map((server) => `nameserver ${server}`),
		...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
		...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
	];
	return lines.map((line) => `${line}\n`).join('');
}

/** hosts(5) of a sandbox: the loopback and multicast names of both families, then the pod's own name. */
export function hostsFile(hostname: string, ips: readonly string[]): string {
	const lines = [
		'127.0.0.1\tlocalhost',
		'::1\tlocalhost ip6-localhost ip6-loopback',
		'fe00::0\tip6-localnet',
		'ff00::0\tip6-mcastprefix',
		'ff02::1\tip6-allnodes',
		'ff02::2\tip6-allrouters',
		...(hostname === '' ? [] : ips.map((ip) => `${ip}\t${hostname}`)),
	];
	return lines.map((line) => `${line}\n`).join('');
}

/** hostname(5). */
export const hostnameFile = (hostname: string): string => `${hostname}\n`;
