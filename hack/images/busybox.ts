/** A small root file system around Debian's static busybox. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { makeTar, type TarEntry } from '../../test/support/tar.ts';

const BUSYBOX = '/bin/busybox';
/** Users that images of Debian's style have. */
const PASSWD =
	'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n';
const GROUP = 'root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnogroup:x:65534:\n';

const folder = (name: string, mode = 0o755): TarEntry => ({ name: `${name}/`, mode });

/** Folders, accounts, and every applet as a link to busybox. */
export function busyboxLayer(): Buffer {
	const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n');
	return makeTar([
		...[
			'bin',
			'dev',
			'etc',
			'home',
			'proc',
			'sys',
			'usr',
			'usr/bin',
			'usr/sbin',
			'sbin',
			'lib',
			'var',
			'var/log',
			'run',
		].map((name) => folder(name)),
		folder('root', 0o700),
		folder('tmp', 0o1777),
		{ name: 'etc/passwd', data: PASSWD },
		{ name: 'etc/group', data: GROUP },
		{ name: 'bin/busybox', data: readFileSync(BUSYBOX), mode: 0o755 },
		...applets
			.filter((applet) => applet !== 'busybox')
			.map(
				(applet): TarEntry => ({ name: `bin/${applet}`, type: 'link', target: 'bin/busybox', mode: 0o755 }),
			),
	]);
}

/** A layer of plain files, with the folders above them. */
export function fileLayer(files: Readonly<Record<string, string | Uint8Array>>, mode = 0o644): Buffer {
	const folders = new Set(
		Object.keys(files).flatMap((path) =>
			path
				.split('/')
				.slice(0, -1)
				.map((_, index, parts) => parts.slice(0, index + 1).join('/')),
		),
	);
	return makeTar([
		...[...folders].sort().map((name) => folder(name)),
		...Object.entries(files).map(([name, data]): TarEntry => ({ name, data, mode })),
	]);
}
