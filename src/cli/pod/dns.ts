import { readFile } from 'node:fs/promises';
import type { V1Pod, V1PodDNSConfig } from '@kubernetes/client-node';
import type { DNSConfigInit } from '#cri-api';

/**
 * The pod's resolver. There is no cluster here, so ClusterFirst means the node's own servers, as Default does.
 * null: exactly the node's file, which the daemon copies itself.
 */
export async function dnsOf(pod: V1Pod, resolvConf = '/etc/resolv.conf'): Promise<DNSConfigInit | null> {
	const { dnsPolicy, dnsConfig } = pod.spec ?? {};
	if (dnsPolicy !== 'None' && dnsConfig === undefined) return null;
	const node =
		dnsPolicy === 'None' ? EMPTY : parseResolvConf(await readFile(resolvConf, 'utf8').catch(() => ''));
	return {
		servers: unique([...node.servers, ...(dnsConfig?.nameservers ?? [])]),
		searches: unique([...node.searches, ...(dnsConfig?.searches ?? [])]),
		options: mergeOptions(node.options, (dnsConfig?.options ?? []).map(optionText)),
	};
}

interface Dns {
	readonly servers: readonly string[];
	readonly searches: readonly string[];
	readonly options: readonly string[];
}

const EMPTY: Dns = { servers: [], searches: [], options: [] };

/** resolv.conf(5); the last `search` counts. */
export function parseResolvConf(text: string): Dns {
	const lines = text.split('\n').map((line) =>
		line
			.replace(/[#;].*$/, '')
			.trim()
			.split(/\s+/),
	);
	const of = (keyword: string) => lines.filter(([first]) => first === keyword).map(([, ...values]) => values);
	return {
		servers: of('nameserver').flatMap(([server]) => server ?? []),
		searches: of('search').at(-1) ?? [],
		options: of('options').flat(),
	};
}

function optionText({ name, value }: NonNullable<V1PodDNSConfig['options']>[number]): string {
	return value === undefined || value === '' ? (name ?? '') : `${name}:${value}`;
}

/** An option of the pod takes the place of the node's of the same name. */
function mergeOptions(node: readonly string[], own: readonly string[]): readonly string[] {
	const nameOf = (option: string) => option.split(':')[0] ?? option;
	return [...new Map([...node, ...own].map((option) => [nameOf(option), option])).values()];
}

function unique(values: readonly string[]): readonly string[] {
	return [...new Set(values)];
}
