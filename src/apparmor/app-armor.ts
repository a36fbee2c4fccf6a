import { existsSync } from 'node:fs';
import { failedPrecondition, messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { Launcher } from '#runtime';
import type { ProfileChoice } from '../container/profile-choice.ts';
import { type AppArmorKernel, appArmorKernel } from './kernel.ts';
import { profileText } from './profile-text.ts';

export interface AppArmorOptions {
	/** Of the daemon; names its own profile. */
	readonly instance: string;
	/** The option runtime.apparmor_profile. */
	readonly profile: string;
	/** Runs the parser. */
	readonly launcher: Pick<Launcher, 'run'>;
	readonly log: Pick<Log, 'info' | 'warn'>;
	readonly kernel?: AppArmorKernel;
	/** Where the parser may be, in order. */
	readonly parsers?: readonly string[];
}

/** For people, in the verbose Status. */
export interface AppArmorState {
	/** The kernel has AppArmor, and it is on. */
	readonly enabled: boolean;
	/** Path of apparmor_parser; '' when it is not installed. */
	readonly parser: string;
	/** The profile RuntimeDefault; '' when there is none. */
	readonly defaultProfile: string;
	/** Why it cannot be applied, as a sentence; '' when it can. */
	readonly problem: string;
}

/** The value of runtime.apparmor_profile that stands for Gantry's own. */
const OWN = 'default';
const PARSERS = ['/usr/sbin/apparmor_parser', '/sbin/apparmor_parser', '/usr/local/sbin/apparmor_parser'];
const PARSER_TIMEOUT_MS = 30_000;
const NO_KERNEL = 'this kernel has no AppArmor, or it is switched off';

/** The profile of an instance's own, whether loaded or not. */
export const ownProfileName = (instance: string): string => `${instance}-default`;

/** Which AppArmor profile a process gets, and the default one that this daemon brings. */
export class AppArmor {
	readonly #options: AppArmorOptions;
	readonly #kernel: AppArmorKernel;
	/** By this daemon: one that an earlier daemon loaded may say something else. */
	#loaded = false;
	#loading: Promise<void> | undefined;
	readonly #said = new Set<string>();

	constructor(options: AppArmorOptions) {
		this.#options = options;
		this.#kernel = options.kernel ?? appArmorKernel();
	}

	/** Loads the default profile ahead of its first use. Never throws: what is wrong is logged. */
	async prepare(): Promise<void> {
		const { name } = this.#default;
		if (name === '' || !this.#kernel.enabled) return;
		const problem = await this.#problemOf(name);
		if (problem === undefined) this.#options.log.info('AppArmor is in use', { defaultProfile: name });
		else this.#warnOnce(problem);
	}

	/**
	 * The profile of a container for its OCI spec; undefined for none. A container that asks for nothing gets the
	 * default where it can be had. FAILED_PRECONDITION when what is asked for cannot be applied.
	 */
	async containerProfile(choice: ProfileChoice | undefined): Promise<string | undefined> {
		if (choice !== undefined) return await this.profileFor(choice);
		const { name, isOwn } = this.#default;
		if (name === '' || !this.#kernel.enabled) return undefined;
		const problem = await this.#problemOf(name);
		if (problem === undefined) return name;
		// Who names a profile in the configuration counts on it.
		if (!isOwn) throw cannotApply(name, problem);
		this.#warnOnce(problem);
		return undefined;
	}

	/** The same for a process that somebody chose a profile for. */
	async profileFor(choice: ProfileChoice): Promise<string | undefined> {
		const { enabled } = this.#kernel;
		if (choice.kind === 'unconfined') return enabled ? 'unconfined' : undefined;
		const name = choice.kind === 'localhost' ? choice.ref : this.#default.name;
		if (name === '') return undefined;
		const problem = enabled ? await this.#problemOf(name) : NO_KERNEL;
		if (problem !== undefined) throw cannotApply(name, problem);
		return name;
	}

	/** Before another process runs in the profile of a container: our own is loaded again if it was taken away. */
	async keepLoaded(name: string | undefined): Promise<void> {
		if (name !== undefined && name === ownProfileName(this.#options.instance) && this.#kernel.enabled)
			await this.#load(name);
	}

	async look(): Promise<AppArmorState> {
		const { enabled } = this.#kernel;
		const { name } = this.#default;
		const problem = name === '' ? undefined : enabled ? await this.#problemOf(name) : NO_KERNEL;
		return { enabled, parser: this.#parser() ?? '', defaultProfile: name, problem: problem ?? '' };
	}

	/** At the end, when no pod is left. */
	async removeOwn(): Promise<void> {
		const name = ownProfileName(this.#options.instance);
		await this.#loading?.catch(() => {});
		this.#loaded = false;
		if (this.#kernel.enabled && (await this.#kernel.profiles())?.has(name)) await this.#kernel.remove(name);
	}

	get #default(): { readonly name: string; readonly isOwn: boolean } {
		const { profile, instance } = this.#options;
		const isOwn = profile === OWN;
		return { name: isOwn ? ownProfileName(instance) : profile, isOwn };
	}

	/** Why a profile cannot be applied; undefined when it can. */
	async #problemOf(name: string): Promise<string | undefined> {
		if (this.#default.isOwn && name === this.#default.name) {
			return await this.#load(name).then(
				() => undefined,
				(error: unknown) => messageOf(error),
			);
		}
		// Namespaces (`:ns:name`) and stacks (`a//&b`) are not in the list; the kernel says when it does not know them.
		if (name.startsWith(':') || name.includes('//&')) return undefined;
		const known = await this.#kernel.profiles();
		return known === undefined || known.has(name)
			? undefined
			: 'no such profile is loaded; load it with apparmor_parser -r FILE';
	}

	/** Once for all who ask at the same time. */
	async #load(name: string): Promise<void> {
		if (this.#loaded && (await this.#kernel.profiles())?.has(name) !== false) return;
		this.#loading ??= this.#runParser(name).finally(() => {
			this.#loading = undefined;
		});
		await this.#loading.catch((error: unknown) => this.#keepEarlier(name, error));
	}

	/** What an earlier daemon loaded is better than nothing: without it no exec of its containers would work. */
	async #keepEarlier(name: string, error: unknown): Promise<void> {
		if (!(await this.#kernel.profiles())?.has(name)) throw error;
		this.#loaded = true;
		this.#options.log.warn(
			`The AppArmor profile ${name} stays as an earlier daemon has loaded it: ${messageOf(error)}`,
		);
	}

	async #runParser(name: string): Promise<void> {
		const parser = this.#parser();
		if (parser === undefined)
			throw failedPrecondition('apparmor_parser is not installed (Debian: apt-get install apparmor)');
		const { exitCode, signal, timedOut, stderr } = await this.#options.launcher.run({
			argv: [parser, '--replace', '--skip-cache', '--quiet'],
			stdin: Buffer.from(profileText(name)),
			timeoutMs: PARSER_TIMEOUT_MS,
		});
		if (exitCode === 0 && signal === 0 && !timedOut) {
			this.#loaded = true;
			return;
		}
		const why = timedOut ? `it did not end within ${PARSER_TIMEOUT_MS / 1000} s` : stderr.toString().trim();
		throw failedPrecondition(
			`${parser} cannot load the profile ${name}: ${why || `it ended with ${exitCode}`}`,
		);
	}

	#parser(): string | undefined {
		return (this.#options.parsers ?? PARSERS).find((path) => existsSync(path));
	}

	#warnOnce(problem: string): void {
		if (this.#said.has(problem)) return;
		this.#said.add(problem);
		this.#options.log.warn(
			`Containers that ask for no AppArmor profile do not get ${this.#default.name}: ${problem}`,
		);
	}
}

const cannotApply = (name: string, problem: string) =>
	failedPrecondition(`AppArmor profile ${name} cannot be applied: ${problem}`);
