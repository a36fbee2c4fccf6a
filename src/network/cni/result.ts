/** What a plugin chain answered, in our terms. */
import { unavailable } from '#base/errors.ts';
import { parseAddress } from '../ip.ts';
import type { NetworkResult } from '../types.ts';
import { isObject, type Json } from './config.ts';

const objects = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const strings = (value: unknown): string[] =>
	Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

/**
 * The pod's addresses: those of interfaces inside the sandbox, or of none in particular. First IPv4, first IPv6,
 * then the others. UNAVAILABLE when there is none: a pod without an address cannot be reported.
 */
export function ipsOf(result: Json): string[] {
	const interfaces = objects(result.interfaces);
	const inPod = ({ interface: index }: Json) =>
		typeof index !== 'number' ||
		typeof interfaces[index]?.sandbox !== 'string' ||
		interfaces[index].sandbox !== '';
	const ips = objects(result.ips)
		.filter(inPod)
		.map(({ address }) => (typeof address === 'string' ? (address.split('/')[0] ?? '') : ''))
		.filter((text) => parseAddress(text) !== undefined);
	if (ips.length === 0)
		throw unavailable('The CNI plugins gave the pod no IP address: its network needs an IPAM plugin');
	const firsts = ([4, 6] as const).flatMap(
		(family) => ips.find((ip) => parseAddress(ip)?.family === family) ?? [],
	);
	return [...new Set([...firsts, ...ips])];
}

/** The DNS settings of the result, if it has any. `domain` comes first of the searches. */
export function dnsOf(result: Json): NetworkResult['dns'] {
	if (!isObject(result.dns)) return undefined;
	const { nameservers, domain, search, options } = result.dns;
	const searches = [...(typeof domain === 'string' && domain !== '' ? [domain] : []), ...strings(search)];
	const dns = { servers: strings(nameservers), searches: [...new Set(searches)], options: strings(options) };
	return dns.servers.length + dns.searches.length + dns.options.length > 0 ? dns : undefined;
}
