import { invalidArgument } from '#base/errors.ts';
import type { LinuxContainerResources } from '#cri-api';
import type { OciResources } from '#runtime';
import { type With, withLinux, withProcess } from './draft.ts';
import type { HostFacts } from './host-facts.ts';
import type { ContainerSpecInput } from './input.ts';

/** Limits and the place in the cgroup tree. */
export const withResources: With<ContainerSpecInput> = (spec, { config, cgroupsPath, host }) => {
	const requested = config.linux?.resources ?? undefined;
	const placed = withLinux(spec, {
		cgroupsPath,
		resources: {
			...spec.linux?.resources,
			...(requested === undefined ? {} : ociResources(requested, host)),
		},
	});
	return withProcess(placed, { oomScoreAdj: requested === undefined ? 0 : checkOomScore(requested) });
};

/** The score as a number. INVALID_ARGUMENT beyond what the kernel takes. */
export function checkOomScore({ oom_score_adj }: Pick<LinuxContainerResources, 'oom_score_adj'>): number {
	const score = toNumber('oom_score_adj', oom_score_adj);
	if (score >= -1000 && score <= 1000) return score;
	throw invalidArgument(`linux.resources.oom_score_adj is ${score}, expected -1000 to 1000`);
}

/**
 * The OCI form of a CRI message. A field that is 0 or empty is not set. Without a limit of its own swap gets the
 * memory's: a container with a memory limit does not swap unless the request says so.
 */
export function ociResources(
	resources: LinuxContainerResources,
	host: Pick<HostFacts, 'swapLimit'>,
): OciResources {
	return {
		...section('cpu', cpuOf(resources)),
		...section('memory', memoryOf(resources, host)),
		...(resources.hugepage_limits.length > 0 && {
			hugepageLimits: resources.hugepage_limits.map(({ page_size, limit }) => ({
				pageSize: page_size,
				limit: toNumber('hugepage_limits', limit),
			})),
		}),
		...(Object.keys(resources.unified).length > 0 && { unified: resources.unified }),
	};
}

function cpuOf(resources: LinuxContainerResources): NonNullable<OciResources['cpu']> {
	const period = toNumber('cpu_period', resources.cpu_period);
	const quota = toNumber('cpu_quota', resources.cpu_quota);
	const shares = toNumber('cpu_shares', resources.cpu_shares);
	if (period < 0) throw negative('cpu_period', period);
	if (shares < 0) throw negative('cpu_shares', shares);
	return {
		...(period > 0 && { period }),
		...(quota !== 0 && { quota: quota < 0 ? -1 : quota }),
		...(shares > 0 && { shares }),
		...(resources.cpuset_cpus !== '' && { cpus: resources.cpuset_cpus }),
		...(resources.cpuset_mems !== '' && { mems: resources.cpuset_mems }),
	};
}

function memoryOf(
	resources: LinuxContainerResources,
	host: Pick<HostFacts, 'swapLimit'>,
): NonNullable<OciResources['memory']> {
	const limit = toNumber('memory_limit_in_bytes', resources.memory_limit_in_bytes);
	const swap = toNumber('memory_swap_limit_in_bytes', resources.memory_swap_limit_in_bytes);
	if (limit < -1) throw negative('memory_limit_in_bytes', limit);
	if (swap !== 0 && swap !== -1 && !host.swapLimit) {
		throw invalidArgument(
			'linux.resources.memory_swap_limit_in_bytes cannot be kept: this kernel does not account swap',
		);
	}
	const effectiveSwap = swap !== 0 ? swap : host.swapLimit ? limit : 0;
	return { ...(limit !== 0 && { limit }), ...(effectiveSwap !== 0 && { swap: effectiveSwap }) };
}

function section<K extends string, T extends object>(name: K, value: T): Partial<Record<K, T>> {
	return (Object.keys(value).length > 0 ? { [name]: value } : {}) as Partial<Record<K, T>>;
}

/** A 64-bit decimal as a number. What a number cannot hold exactly is larger than any machine: no limit. */
function toNumber(field: string, value: string): number {
	const number = Number(value === '' ? '0' : value);
	if (!Number.isInteger(number))
		throw invalidArgument(`linux.resources.${field} is ${JSON.stringify(value)}, expected an integer`);
	return number > Number.MAX_SAFE_INTEGER ? -1 : number;
}

function negative(field: string, value: number): Error {
	return invalidArgument(`linux.resources.${field} is ${value}, expected 0 (not set) or more`);
}
