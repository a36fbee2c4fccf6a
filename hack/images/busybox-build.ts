/**
 * busybox built from Debian's source package with its default configuration: unlike Debian's binary, its shell runs
 * programs and not its own applets, and it has pgrep and ipcs. Some specs of critest rely on both.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const SOURCES = `Types: deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;
/** `tc` does not compile with the headers of newer kernels. */
const BUILD = `set -e
cd busybox-*/
make -s defconfig >/dev/null
sed -i -e 's/# CONFIG_STATIC is not set/CONFIG_STATIC=y/' -e 's/^CONFIG_TC=y/# CONFIG_TC is not set/' .config
make -s -j"$(nproc)" busybox >build.log 2>&1 || { tail -n 20 build.log >&2; exit 1; }
cp busybox ../program
`;

/** Path of the program; built once (a minute) and kept at `cached`. */
export function buildBusybox(cached: string): string {
	if (existsSync(cached)) return cached;
	console.log('building busybox from its Debian source package, once');
	const folder = mkdtempSync(join(tmpdir(), 'gantry-busybox-'));
	try {
		downloadSource(folder);
		execFileSync('sh', ['-c', BUILD], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
		mkdirSync(dirname(cached), { recursive: true });
		copyFileSync(join(folder, 'program'), cached);
		return cached;
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** With lists of its own, so that the machine's stay as they are. */
function downloadSource(folder: string): void {
	mkdirSync(join(folder, 'lists/partial'), { recursive: true });
	writeFileSync(join(folder, 'sources.list.sources'), SOURCES);
	const settings = {
		'Dir::Etc::sourcelist': join(folder, 'sources.list.sources'),
		'Dir::Etc::sourceparts': '/dev/null',
		'Dir::State::lists': join(folder, 'lists'),
		'Dir::Cache::pkgcache': '',
		'Dir::Cache::srcpkgcache': '',
		'APT::Sandbox::User': 'root',
	};
	const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
	const apt = (...args: readonly string[]) =>
		execFileSync('apt-get', [...options, '-qq', ...args], {
			cwd: folder,
			stdio: ['ignore', 'ignore', 'inherit'],
		});
	apt('update');
	apt('source', '--download-only', 'busybox');
	execFileSync('sh', ['-c', 'tar xf busybox_*.orig.tar.*'], { cwd: folder });
}
