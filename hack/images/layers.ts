/** What the images made in hack/ consist of. */
import { busyboxEntries, type LayerSource } from '../../test/support/registry.ts';
import { makeTar, type TarEntry } from '../../test/support/tar.ts';

/** Debian's static busybox with its applets. */
export function busyboxLayer(): LayerSource {
	return { tar: makeTar(busyboxEntries()) };
}

/** Plain files, with the folders above them. */
export function fileLayer(files: Readonly<Record<string, string | Uint8Array>>, mode = 0o644): LayerSource {
	const folders = new Set(Object.keys(files).flatMap(foldersAbove));
	const entries: TarEntry[] = [...folders].sort().map((name) => ({ name: `${name}/` }));
	return {
		tar: makeTar([
			...entries,
			...Object.entries(files).map(([name, data]): TarEntry => ({ name, data, mode })),
		]),
	};
}

function foldersAbove(path: string): string[] {
	const parts = path.split('/').slice(0, -1);
	return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
