import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Programs of busybox that the tests call. */
const APPLETS = [
	'sh',
	'cat',
	'echo',
	'sleep',
	'id',
	'ls',
	'true',
	'false',
	'env',
	'hostname',
	'grep',
	'stat',
	'kill',
	'ps',
	'dd',
	'yes',
	'head',
	'mount',
	'ip',
	'readlink',
	'touch',
	'tr',
	'wc',
	'sysctl',
	'test',
	'pwd',
	'mkdir',
	'rm',
	'nslookup',
	'umount',
	'chmod',
	'tail',
	'mknod',
	'cut',
	'tee',
] as const;

/** Makes a layer with a static busybox, accounts, and an executable that is none. */
export function makeLayer(folder: string): void {
	for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'data', 'var/empty']) {
		mkdirSync(join(folder, name), { recursive: true });
	}
	chmodSync(folder, 0o755);
	chmodSync(join(folder, 'tmp'), 0o1777);
	copyFileSync('/bin/busybox', join(folder, 'bin/busybox'));
	chmodSync(join(folder, 'bin/busybox'), 0o755);
	for (const applet of APPLETS) symlinkSync('busybox', join(folder, 'bin', applet));
	writeFileSync(join(folder, 'bin/notexecutable'), 'data\n', { mode: 0o644 });
	writeFileSync(join(folder, 'bin/garbage'), '\x01\x02\x03\n', { mode: 0o755 });
	writeFileSync(join(folder, 'data/file'), 'from the image\n');
	writeFileSync(
		join(folder, 'etc/passwd'),
		'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:web:/home/web:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
	);
	writeFileSync(
		join(folder, 'etc/group'),
		'root:x:0:\nweb:x:1001:\nlogs:x:2000:web\nextra:x:2001:web,root\n',
	);
}
