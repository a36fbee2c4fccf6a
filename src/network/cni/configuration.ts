import { messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { NetworkStatus } from '../types.ts';
import { statusOfChain } from './chain.ts';
import { loadConfiguration, watchFolder } from './conf-dir.ts';
import type { CniNetwork } from './config.ts';
import { atMost, START_PATIENCE_MS } from './patience.ts';
import type { PluginRunner } from './plugin.ts';

/** The CNI configuration in force: read again whenever its folder changes, and asked for its STATUS. */
export class CniConfiguration {
	readonly #folder: string;
	readonly #runner: PluginRunner;
	readonly #log: Log;
	#network: CniNetwork | undefined;
	#seen = '';
	#status: NetworkStatus;
	#watch: Disposable | undefined;
	#changed: () => void = () => {};
	#reloading: Promise<void> = Promise.resolve();

	constructor(folder: string, runner: PluginRunner, log: Log) {
		this.#folder = folder;
		this.#runner = runner;
		this.#log = log;
		this.#status = notReady('NetworkPluginNotReady', `the CNI configuration in ${folder} is not read yet`);
	}

	/** The configuration for new sandboxes. */
	get network(): CniNetwork | undefined {
		return this.#network;
	}
	get status(): NetworkStatus {
		return this.#status;
	}

	/** Calls back after another configuration came into force. One listener. */
	onChange(changed: () => void): void {
		this.#changed = changed;
	}

	/** Reads the folder, and from then on whenever it changes. Plugins that do not tell their STATUS soon are not waited for. */
	async start(): Promise<void> {
		this.#watch ??= watchFolder(this.#folder, () => void this.reload());
		await atMost(START_PATIENCE_MS, this.reload());
	}

	/** Reads the folder again; one reading at a time. Never fails: the status tells. */
	reload(): Promise<void> {
		this.#reloading = this.#reloading.then(() => this.#load());
		return this.#reloading;
	}

	close(): void {
		this.#watch?.[Symbol.dispose]();
		this.#watch = undefined;
	}

	async #load(): Promise<void> {
		const { network, problems } = await loadConfiguration(this.#folder);
		const seen = JSON.stringify([
			network?.plugins.map(({ config }) => config),
			network?.name,
			network?.cniVersion,
			problems,
		]);
		const isNew = seen !== this.#seen;
		if (isNew) this.#tell(network, problems);
		this.#seen = seen;
		this.#network = network;
		if (network === undefined) this.#status = notReady('NetworkPluginNotReady', problems.join('; '));
		else {
			if (isNew)
				this.#status = notReady(
					'NetworkPluginNotReady',
					`CNI network ${network.name}: its plugins are being asked`,
				);
			this.#status = await this.#ask(network);
		}
		if (isNew) this.#changed();
	}

	#tell(network: CniNetwork | undefined, problems: readonly string[]): void {
		if (network === undefined) this.#log.info('no CNI configuration', { problems });
		else
			this.#log.info('CNI configuration', {
				network: network.name,
				cniVersion: network.cniVersion,
				plugins: network.plugins.map(({ type }) => type),
				...(problems.length > 0 ? { skipped: problems } : {}),
			});
	}

	async #ask(network: CniNetwork): Promise<NetworkStatus> {
		try {
			await statusOfChain(this.#runner, network);
			return { ready: true, reason: '', message: '' };
		} catch (error) {
			return notReady('NetworkPluginNotReady', `CNI network ${network.name}: ${messageOf(error)}`);
		}
	}
}

const notReady = (reason: string, message: string): NetworkStatus => ({ ready: false, reason, message });
