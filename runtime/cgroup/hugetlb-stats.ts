import { existsSync, readdirSync } from 'node:fs';
import type { CgroupStats } from '../types.ts';
import { readNumber } from './files.ts';

/** Huge page use per page size. `usage` and `max` are the last part of the file names of this cgroup version. */
export function readHugetlb(
	folder: string | undefined,
	names: { usage: string; max: string | undefined },
): CgroupStats['hugetlb'] {
	const files = folder !== undefined && existsSync(folder) ? readdirSync(folder) : [];
	const sizes = files.flatMap((file) => {
		const [controller, pageSize, field, ...rest] = file.split('.');
		return controller === 'hugetlb' && field === names.usage && rest.length === 0 && pageSize
			? [pageSize]
			: [];
	});
	return sizes.map((pageSize) => {
		const read = (field: string | undefined) =>
			field === undefined ? undefined : readNumber(`${folder}/hugetlb.${pageSize}.${field}`);
		const usageBytes = read(names.usage) ?? 0n;
		return { pageSize, usageBytes, maxUsageBytes: read(names.max) ?? usageBytes };
	});
}
