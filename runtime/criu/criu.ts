import { statSync } from 'node:fs';
import { unimplemented } from '#base/errors.ts';
import type { Launcher } from '../types.ts';
import { errorsIn } from './messages.ts';

/** What is known of the CRIU of this machine. */
export interface CriuState {
	/** '' when there is none. */
	readonly path: string;
	/** `3.17.1`; '' when there is none, or when it does not say. */
	readonly version: string;
	/** Why it cannot be used, as a sentence; '' when it can. */
	readonly problem: string;
}

/** The oldest that knows the options that are used here; that of Debian 12. */
export const LEAST_VERSION = '3.17';

const PLACES = ['/usr/sbin/criu', '/usr/local/sbin/criu', '/usr/bin/criu', '/usr/local/bin/criu'];
const CHECK_TIMEOUT_MS = 30_000;
const INSTALL = `install ${LEAST_VERSION} or newer (Debian: apt-get install criu)`;

/** Finds CRIU and asks it once whether it works with this kernel; again when another file is there. */
export class Criu {
	readonly #launcher: Pick<Launcher, 'run'>;
	readonly #places: readonly string[];
	/** What a user can do who has none at these places. */
	readonly #missing: string;
	#seen: { readonly mark: string; readonly state: Promise<CriuState> } | undefined;

	/** `path`: where it is; '' for the usual places. */
	constructor(launcher: Pick<Launcher, 'run'>, path: string) {
		this.#launcher = launcher;
		this.#places = path === '' ? PLACES : [path];
		this.#missing =
			path === ''
				? `CRIU is not installed (looked for ${PLACES.join(', ')}): ${INSTALL}, or set runtime.criu_path`
				: `There is no file ${path}, which runtime.criu_path names: set it to where CRIU is, or leave it out for the usual places, and ${INSTALL}`;
	}

	/** Costs a look at a few paths when nothing has changed. UNAVAILABLE when no program can be run at the moment. */
	look(): Promise<CriuState> {
		const found = this.#find();
		if (found === undefined) {
			this.#seen = undefined;
			return Promise.resolve({ path: '', version: '', problem: this.#missing });
		}
		if (this.#seen?.mark !== found.mark) {
			const seen = { mark: found.mark, state: this.#ask(found.path) };
			this.#seen = seen;
			// What could not be asked is asked again.
			seen.state.catch(() => {
				if (this.#seen === seen) this.#seen = undefined;
			});
		}
		return this.#seen.state;
	}

	/** Its path. UNIMPLEMENTED with the reason when it cannot be used; `what` follows "Cannot". */
	async require(what: string): Promise<string> {
		const { path, problem } = await this.look();
		if (problem !== '') throw unimplemented(`Cannot ${what}: ${problem}`);
		return path;
	}

	#find(): { readonly path: string; readonly mark: string } | undefined {
		for (const path of this.#places) {
			const file = statSync(path, { throwIfNoEntry: false });
			if (file?.isFile()) return { path, mark: `${path} ${file.ino} ${file.size} ${file.mtimeMs}` };
		}
		return undefined;
	}

	async #ask(path: string): Promise<CriuState> {
		const told = await this.#run(path, '--version');
		const version = /^Version: (\S+)/m.exec(told.stdout.toString())?.[1] ?? '';
		if (version === '') return { path, version, problem: `${path} does not say its version: ${INSTALL}` };
		if (!isAtLeastVersion(version, LEAST_VERSION))
			return { path, version, problem: `CRIU ${version} at ${path} is too old: ${INSTALL}` };
		const checked = await this.#run(path, 'check');
		if (checked.exitCode === 0) return { path, version, problem: '' };
		const why = errorsIn(`${checked.stdout}\n${checked.stderr}`) || `exit code ${checked.exitCode}`;
		const problem = `CRIU ${version} at ${path} does not work with this kernel (criu check: ${why}): install a newer one, and set runtime.criu_path if it lies elsewhere`;
		return { path, version, problem };
	}

	#run(path: string, argument: string) {
		return this.#launcher.run({ argv: [path, argument], env: CRIU_ENV, timeoutMs: CHECK_TIMEOUT_MS });
	}
}

/** CRIU starts tar and others. */
export const CRIU_ENV: readonly string[] = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'];

function isAtLeastVersion(version: string, least: string): boolean {
	const [major = 0, minor = 0] = version.split('.').map(Number.parseFloat);
	const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number.parseFloat);
	return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
