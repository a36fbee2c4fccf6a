import type { CgroupStats } from '#runtime';
import type { Container } from '../container/types.ts';
import type { MeasuredUsage } from '../stats/layer-usage.ts';
import type { ProcessCounts } from './process-counts.ts';

/** The file system that the writable layers are on. */
export interface FileSystem {
	readonly totalBytes: bigint;
	readonly totalInodes: bigint;
	readonly freeInodes: bigint;
}

/** Everything that is read of one container before its metrics are made of it. */
export interface ContainerReading {
	readonly container: Container;
	readonly cgroup: CgroupStats;
	readonly processes: ProcessCounts;
	readonly layer: MeasuredUsage | undefined;
	readonly fileSystem: FileSystem;
	/** Nanoseconds since 1970. */
	readonly nowNs: bigint;
}
