/** Readings of the kernel as the CRI's messages. Times are nanoseconds since 1970. */
import type {
	CpuUsageInit,
	FilesystemUsageInit,
	IoUsageInit,
	MemoryUsageInit,
	NetworkInterfaceUsageInit,
	NetworkUsageInit,
	PsiDataInit,
	PsiStatsInit,
	SwapUsageInit,
} from '#cri-api';
import type { CgroupUsage, Pressure, PressureLine } from '#runtime';
import type { MeasuredUsage } from './layer-usage.ts';
import type { InterfaceCounters } from './net-dev.ts';

type Memory = CgroupUsage['memory'];

export function toCpuUsage(cpu: CgroupUsage['cpu'], nanoCores: bigint, atNs: bigint): CpuUsageInit {
	return {
		timestamp: atNs,
		usage_core_nano_seconds: { value: cpu.usageNs },
		usage_nano_cores: { value: nanoCores },
		psi: toPsi(cpu.pressure),
	};
}

export function toMemoryUsage(memory: Memory, atNs: bigint): MemoryUsageInit {
	const { limitBytes, workingSetBytes } = memory;
	return {
		timestamp: atNs,
		working_set_bytes: { value: workingSetBytes },
		available_bytes: limitBytes === undefined ? null : { value: atLeastZero(limitBytes - workingSetBytes) },
		usage_bytes: { value: memory.usageBytes },
		rss_bytes: { value: memory.rssBytes },
		page_faults: { value: memory.pageFaults },
		major_page_faults: { value: memory.majorPageFaults },
		psi: toPsi(memory.pressure),
	};
}

/** null where the kernel does not account for swap. */
export function toSwapUsage(memory: Memory, atNs: bigint): SwapUsageInit | null {
	const { swapUsageBytes, swapLimitBytes } = memory;
	if (swapUsageBytes === undefined) return null;
	return {
		timestamp: atNs,
		swap_available_bytes:
			swapLimitBytes === undefined ? null : { value: atLeastZero(swapLimitBytes - swapUsageBytes) },
		swap_usage_bytes: { value: swapUsageBytes },
	};
}

export function toIoUsage(io: CgroupUsage['io'], atNs: bigint): IoUsageInit | null {
	return io.pressure === undefined ? null : { timestamp: atNs, psi: toPsi(io.pressure) };
}

/** The CRI counts in nanoseconds, the kernel in microseconds. */
export function toPsi(pressure: Pressure | undefined): PsiStatsInit | null {
	if (pressure === undefined) return null;
	return { Full: toPsiData(pressure.full), Some: toPsiData(pressure.some) };
}

function toPsiData(line: PressureLine): PsiDataInit {
	return { Total: line.totalUs * 1000n, Avg10: line.avg10, Avg60: line.avg60, Avg300: line.avg300 };
}

export function toWritableLayer(path: string, usage: MeasuredUsage | undefined): FilesystemUsageInit | null {
	if (usage === undefined) return null;
	return {
		timestamp: usage.atNs,
		fs_id: { mountpoint: path },
		used_bytes: { value: usage.bytes },
		inodes_used: { value: usage.inodes },
	};
}

/** `interfaces` has the ones beside the default one. */
export function toNetworkUsage(
	counters: readonly InterfaceCounters[],
	defaultName: string,
	atNs: bigint,
): NetworkUsageInit | null {
	const main = counters.find(({ name }) => name === defaultName) ?? counters[0];
	if (main === undefined) return null;
	return {
		timestamp: atNs,
		default_interface: toInterface(main),
		interfaces: counters.filter((other) => other !== main).map(toInterface),
	};
}

function toInterface(counters: InterfaceCounters): NetworkInterfaceUsageInit {
	return {
		name: counters.name,
		rx_bytes: { value: counters.rxBytes },
		rx_errors: { value: counters.rxErrors },
		tx_bytes: { value: counters.txBytes },
		tx_errors: { value: counters.txErrors },
	};
}

const atLeastZero = (value: bigint): bigint => (value < 0n ? 0n : value);
