import { mkdir } from 'node:fs/promises';
import type { Log } from '#base/log.ts';
import type { BuiltinProvider } from './builtin/provider.ts';
import type { CniProvider } from './cni/provider.ts';
import { type ProviderName, readNote } from './sandbox-files.ts';
import type {
	Leftover,
	LeftoverOptions,
	LivingSandbox,
	NetworkProvider,
	NetworkResult,
	NetworkStatus,
	PreparedNetwork,
	SandboxNetworkRequest,
} from './types.ts';

export interface ChoiceOptions {
	readonly provider: 'auto' | ProviderName;
	readonly builtin: BuiltinProvider;
	readonly cni: CniProvider;
	readonly stateFolder: string;
	readonly log: Log;
}

/**
 * Both providers behind one door. New sandboxes get the chosen one: with `auto` CNI as long as there is a valid
 * configuration, else the built-in one. A sandbox stays with the provider that made it.
 */
export class ProviderChoice implements NetworkProvider {
	readonly #options: ChoiceOptions;
	/** Settles when the built-in provider is up; undefined as long as nobody needed it. */
	#builtinUp: Promise<void> | undefined;
	#restored = false;

	constructor(options: ChoiceOptions) {
		this.#options = options;
		options.cni.configuration.onChange(() => {
			if (this.#restored && this.name === 'builtin') void this.#startBuiltin();
		});
	}

	get name(): ProviderName {
		const { provider, cni } = this.#options;
		if (provider !== 'auto') return provider;
		return cni.configuration.network === undefined ? 'builtin' : 'cni';
	}

	status(): NetworkStatus {
		return this.#chosen.status();
	}

	async prepare(request: SandboxNetworkRequest): Promise<PreparedNetwork> {
		if (this.name === 'builtin') await this.#startBuiltin();
		return this.#chosen.prepare(request);
	}

	async release(sandboxId: string, folder: string, result: NetworkResult | undefined): Promise<string> {
		const owner = result?.provider ?? (await readNote(folder).catch(() => undefined))?.provider;
		const { builtin, cni } = this.#options;
		const sentences = [
			...(owner === 'cni' ? [] : [await builtin.release(sandboxId, folder)]),
			...(owner === 'builtin' ? [] : [await cni.release(sandboxId)]),
		];
		return sentences.filter((sentence) => sentence !== '').join('; ');
	}

	async restore(living: readonly LivingSandbox[]): Promise<void> {
		const of = (name: ProviderName) => living.filter(({ result }) => result.provider === name);
		const { provider, builtin, cni, stateFolder } = this.#options;
		await mkdir(stateFolder, { recursive: true });
		if (provider !== 'builtin' || (await cni.hasAttachments())) await cni.restore(of('cni'));
		if (this.name === 'builtin' || of('builtin').length > 0) {
			this.#builtinUp = builtin.restore(of('builtin'));
			await this.#builtinUp;
		}
		this.#restored = true;
		this.#options.log.info('network provider', { provider: this.name, configured: provider });
	}

	async setPodCidr(cidrs: readonly string[]): Promise<void> {
		if (this.name === 'builtin') await this.#startBuiltin();
		await this.#chosen.setPodCidr(cidrs);
	}

	async describe(folder: string): Promise<readonly string[]> {
		const note = await readNote(folder);
		if (note === undefined) return [];
		return this.#options[note.provider].describe(folder);
	}

	async leftovers(living: ReadonlySet<string>, options?: LeftoverOptions): Promise<readonly Leftover[]> {
		const { builtin, cni } = this.#options;
		return [...(await cni.leftovers(living, options)), ...(await builtin.leftovers(living, options))];
	}

	async close(options?: { readonly removeHostParts?: boolean }): Promise<void> {
		await this.#options.cni.close();
		await this.#builtinUp?.catch(() => {});
		await this.#options.builtin.close(this.#builtinUp === undefined ? {} : options);
	}

	get #chosen(): NetworkProvider {
		return this.#options[this.name];
	}

	/** A CNI configuration was there at the start and is gone now: the host's side is set up only then. */
	#startBuiltin(): Promise<void> {
		this.#builtinUp ??= this.#options.builtin.restore([]);
		return this.#builtinUp;
	}
}
