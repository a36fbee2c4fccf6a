/** Layers with programs of this machine or of Debian packages, and the libraries that they need. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Path in the image → bytes, of the libraries and the loader that a program is linked with. */
export function librariesOf(program: string): Record<string, Buffer> {
	const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
	const missing = lines.find((line) => line.includes('not found'));
	if (missing !== undefined)
		throw new Error(`${program} needs a library that is not here: ${missing.trim()}`);
	const paths = lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
	return Object.fromEntries(paths.map((path) => [path.slice(1), readFileSync(realpathSync(path))]));
}

/** A program with its libraries, at `target` in the image. */
export function withLibraries(target: string, program: string): Record<string, Buffer> {
	return { ...librariesOf(program), [target]: readFileSync(program) };
}

/** Downloads Debian packages and hands the folder with their files to `use`; nothing is installed. */
export function withPackages<T>(packages: readonly string[], use: (folder: string) => T): T {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-packages-'));
	try {
		execFileSync('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', ...packages], {
			cwd: folder,
			stdio: ['ignore', 'ignore', 'inherit'],
		});
		execFileSync('sh', ['-c', 'for deb in *.deb; do dpkg-deb -x "$deb" tree; done'], { cwd: folder });
		return use(join(folder, 'tree'));
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** Compiles one C file to a static program. */
export function compile(source: string): Buffer {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-compile-'));
	try {
		execFileSync('cc', ['-static', '-Os', '-s', '-o', join(folder, 'program'), '-x', 'c', '-'], {
			input: source,
		});
		return readFileSync(join(folder, 'program'));
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}
