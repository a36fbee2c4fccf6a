import { readdir } from 'node:fs/promises';
import type { CgroupStats } from '../types.ts';
import { readNumber } from './files.ts';

/** Huge page use per page size. `usage` and `max` are the last part of the file names of this cgroup version. */
export async function readHugetlb(
	folder: string | undefined,
	names: { usage: string; max: string | undefined },
): Promise<CgroupStats['hugetlb']> {
	const files = folder === undefined ? [] : await readdir(folder).catch(() => []);
	const sizes = files.flatMap((file) => {
		const [controller, pageSize, field, ...rest] = file.split('.');
		return controller === 'hugetlb' && field === names.usage && rest.length === 0 && pageSize
			? [pageSize]
			: [];
	});
	return await Promise.all(
		sizes.map(async (pageSize) => {
			const read = (field: string | undefined) =>
				field === undefined ? undefined : readNumber(`${folder}/hugetlb.${pageSize}.${field}`);
			const [usageBytes = 0n, maxUsageBytes] = await Promise.all([read(names.usage), read(names.max)]);
			return { pageSize, usageBytes, maxUsageBytes: maxUsageBytes ?? usageBytes };
		}),
	);
}
