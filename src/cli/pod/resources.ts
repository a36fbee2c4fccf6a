import { totalmem } from 'node:os';
import type { V1Pod, V1ResourceRequirements } from '@kubernetes/client-node';
import { invalidArgument } from '#base/errors.ts';
import type { LinuxContainerResourcesInit } from '#cri-api';
import { quantity } from './quantity.ts';

const PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;
const MIN_SHARES = 2;
const SHARES_PER_CORE = 1024;
/** What the kubelet gives to pods by their quality of service. */
const OOM = { guaranteed: -997, bestEffort: 1000, burstableMost: 999 } as const;

interface Amounts {
	readonly cpu?: number;
	readonly memory?: number;
	readonly hugepages: readonly { readonly page_size: string; readonly limit: number }[];
}

/** What the kubelet would put into a container's request for these requirements. */
export function resourcesOf(
	requirements: V1ResourceRequirements | undefined,
	pod: V1Pod,
	path: string,
): LinuxContainerResourcesInit {
	const limits = amounts(requirements?.limits, `${path}.limits`);
	const requests = amounts(requirements?.requests, `${path}.requests`);
	const cpu = requests.cpu ?? limits.cpu;
	const memory = requests.memory ?? limits.memory;
	return {
		cpu_shares: cpu === undefined ? MIN_SHARES : Math.max(MIN_SHARES, Math.round(cpu * SHARES_PER_CORE)),
		...(limits.cpu === undefined
			? {}
			: { cpu_period: PERIOD_US, cpu_quota: Math.max(MIN_QUOTA_US, Math.round(limits.cpu * PERIOD_US)) }),
		...(limits.memory === undefined ? {} : { memory_limit_in_bytes: Math.ceil(limits.memory) }),
		hugepage_limits: limits.hugepages,
		oom_score_adj: oomScoreAdj(pod, memory),
	};
}

function amounts(list: Readonly<Record<string, string>> | undefined, path: string): Amounts {
	const found: { cpu?: number; memory?: number; hugepages: { page_size: string; limit: number }[] } = {
		hugepages: [],
	};
	for (const [name, text] of Object.entries(list ?? {})) {
		const value = quantity(text, `${path}.${name}`);
		if (name === 'cpu' || name === 'memory') found[name] = value;
		else if (name.startsWith('hugepages-')) found.hugepages.push({ page_size: pageSize(name), limit: value });
		else
			throw invalidArgument(
				`${path}.${name}: gantry run honours cpu, memory and hugepages-*; remove the others`,
			);
	}
	return found;
}

/** `hugepages-2Mi` is `2MB` in the CRI, as the kernel writes it. */
function pageSize(name: string): string {
	return name.slice('hugepages-'.length).replace(/i$/, 'B');
}

/** By the pod's quality of service: all limits set and equal to requests, nothing set, or something between. */
function oomScoreAdj(pod: V1Pod, memoryRequest: number | undefined): number {
	const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].map(
		(container) => container.resources,
	);
	const isSet = (one: V1ResourceRequirements | undefined) =>
		[one?.limits, one?.requests].some((list) => list?.cpu !== undefined || list?.memory !== undefined);
	if (!all.some(isSet)) return OOM.bestEffort;
	if (all.every(isGuaranteed)) return OOM.guaranteed;
	const share = Math.floor((1000 * (memoryRequest ?? 0)) / totalmem());
	return Math.min(OOM.burstableMost, Math.max(1000 + OOM.guaranteed, 1000 - share));
}

function isGuaranteed(one: V1ResourceRequirements | undefined): boolean {
	return (['cpu', 'memory'] as const).every((name) => {
		const limit = one?.limits?.[name];
		const request = one?.requests?.[name] ?? limit;
		return limit !== undefined && request !== undefined && quantity(limit, name) === quantity(request, name);
	});
}
