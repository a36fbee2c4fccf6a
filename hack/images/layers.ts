/** What the images made in hack/ consist of. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { busyboxEntries, type LayerSource } from '../../test/support/registry.ts';
import { makeTar, type TarEntry } from '../../test/support/tar.ts';

/** A small root file system around a static busybox: Debian's, or another one. */
export function busyboxLayer(program = '/bin/busybox'): LayerSource {
	const applets = execFileSync(program, ['--list'], { encoding: 'utf8' }).trim().split('\n');
	const others = busyboxEntries().filter(({ name }) => !/^bin\/./.test(String(name)));
	return {
		tar: makeTar([
			...others,
			{ name: 'bin/busybox', data: readFileSync(program), mode: 0o755 },
			...applets
				.filter((applet) => applet !== 'busybox')
				.map(
					(applet): TarEntry => ({ name: `bin/${applet}`, type: 'link', target: 'bin/busybox', mode: 0o755 }),
				),
		]),
	};
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
