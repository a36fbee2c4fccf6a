import { join } from 'node:path';
import { internal, invalidArgument, messageOf, unavailable } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { Launcher } from '#runtime';
import { HookServer } from '../hook-server.ts';
import { hostPortsOf } from '../port-mappings.ts';
import { readNote, writeNote } from '../sandbox-files.ts';
import type {
	Leftover,
	LeftoverOptions,
	LivingSandbox,
	NetworkProvider,
	NetworkResult,
	NetworkStatus,
	PreparedNetwork,
	SandboxNetworkRequest,
} from '../types.ts';
import { Attacher } from './attacher.ts';
import { AttachmentStore, type StoredAttachment } from './attachments.ts';
import { cniArguments, runtimeCapabilities, untold } from './capabilities.ts';
import { collectGarbage } from './chain.ts';
import { type CniNetwork, isObject, type Json } from './config.ts';
import { CniConfiguration } from './configuration.ts';
import { describeAttachment } from './describe.ts';
import { atMost, START_PATIENCE_MS } from './patience.ts';
import { Pins } from './pins.ts';
import { attempt, createPluginRunner, type PluginRunner } from './plugin.ts';
import { dnsOf, ipsOf } from './result.ts';

export interface CniOptions {
	readonly confDir: string;
	readonly binDirs: readonly string[];
	/** Longest time for one plugin. */
	readonly timeoutMs: number;
	readonly launcher: Pick<Launcher, 'applyNetwork' | 'run' | 'teardown'>;
	/** On tmpfs: the hook's socket and the namespace files. */
	readonly stateFolder: string;
	/** On disk: the attachments. */
	readonly cacheFolder: string;
	readonly hookBinary: string;
	readonly log: Log;
}

/** For a whole chain; each plugin has a deadline of its own. */
const HOOK_TIMEOUT_SECONDS = 180;
const INTERFACE = 'eth0';

/** Networks by CNI plugins, run when the sandbox's hooks ask for it. */
export class CniProvider implements NetworkProvider {
	readonly name = 'cni';
	readonly configuration: CniConfiguration;
	readonly #options: CniOptions;
	readonly #runner: PluginRunner;
	readonly #store: AttachmentStore;
	readonly #attacher: Attacher;
	readonly #server: HookServer;
	readonly #pins: Pins;
	#cannotServe = '';
	#collecting: Promise<void> = Promise.resolve();

	constructor(options: CniOptions) {
		const { launcher, log, stateFolder } = options;
		this.#options = options;
		this.#runner = createPluginRunner(launcher, options);
		this.configuration = new CniConfiguration(options.confDir, this.#runner, log);
		this.#store = new AttachmentStore(join(options.cacheFolder, 'attachments'));
		this.#attacher = new Attacher({
			runner: this.#runner,
			store: this.#store,
			launcher,
			log,
			patienceMs: options.timeoutMs,
		});
		this.#server = new HookServer(join(stateFolder, 'hook.sock'), log);
		this.#pins = new Pins(join(stateFolder, 'netns'), launcher);
	}

	status(): NetworkStatus {
		return this.#cannotServe === ''
			? this.configuration.status
			: { ready: false, reason: 'NetworkHookNotReady', message: this.#cannotServe };
	}

	/** Whether there is anything to take over or to free. */
	async hasAttachments(): Promise<boolean> {
		return (await this.#store.list()).length > 0;
	}

	async restore(living: readonly LivingSandbox[]): Promise<void> {
		await this.configuration.start();
		await this.#store.sweep();
		await this.#listen();
		const alive = new Set(living.map(({ sandboxId }) => sandboxId));
		for (const sandboxId of await this.#store.list()) {
			if (alive.has(sandboxId)) await this.#adopt(sandboxId);
			else void this.#freeLost(sandboxId);
		}
		for (const sandboxId of await this.#pins.list())
			if (!alive.has(sandboxId)) await this.#removeLostPin(sandboxId);
		this.#collecting = this.#collectGarbage();
		await atMost(START_PATIENCE_MS, this.#collecting);
	}

	async prepare(request: SandboxNetworkRequest): Promise<PreparedNetwork> {
		const { sandboxId } = request;
		const { network } = this.configuration;
		if (network === undefined || this.#cannotServe !== '')
			throw unavailable(`Cannot attach sandbox ${sandboxId} to a network: ${this.status().message}`);
		hostPortsOf(request.portMappings, [4, 6]);
		const capabilities = runtimeCapabilities(request);
		this.#tellUntold(request, network, capabilities);
		const attachment: StoredAttachment = {
			network,
			sandboxId,
			netns: this.#pins.path(sandboxId),
			interfaceName: INTERFACE,
			args: cniArguments(request),
			capabilities,
			result: undefined,
			token: HookServer.newToken(),
		};
		await this.#pins.makeFolder();
		writeNote(request.folder, 'cni', { sandboxId, network: network.name });
		this.#attacher.announce(attachment);
		this.#serve(attachment);
		return {
			hooks: { createRuntime: [this.#hook('add', attachment)], poststop: [this.#hook('del', attachment)] },
			pins: [{ name: 'net', path: attachment.netns }],
			result: async () => this.#resultOf(sandboxId),
			abandon: async () => {
				await this.release(sandboxId);
			},
		};
	}

	/** No error: networks exist that see to host ports themselves, from what the cluster's API says. */
	#tellUntold({ sandboxId, namespace, name }: SandboxNetworkRequest, network: CniNetwork, all: Json): void {
		const missing = untold(network.plugins, all);
		if (missing.length === 0) return;
		this.#options.log.warn('the pod asks for what no plugin of the CNI network declares as a capability', {
			sandbox: sandboxId,
			pod: `${namespace}/${name}`,
			network: network.name,
			missing,
		});
	}

	async release(sandboxId: string): Promise<string> {
		const token = this.#attacher.get(sandboxId)?.token;
		const failures = [...(await this.#attacher.detach(sandboxId))];
		if (token !== undefined) this.#server.forget(token);
		failures.push(...(await attempt(() => this.#pins.remove(sandboxId))));
		return failures.join('; ');
	}

	async setPodCidr(cidrs: readonly string[]): Promise<void> {
		this.#options.log.info('pod CIDR is left to the CNI configuration', { cidrs });
	}

	async describe(folder: string): Promise<readonly string[]> {
		const data = (await readNote(folder))?.data;
		const sandboxId = isObject(data) ? String(data.sandboxId) : '';
		const attachment = this.#attacher.get(sandboxId) ?? (await this.#store.read(sandboxId));
		return attachment === undefined ? [] : describeAttachment(attachment);
	}

	async leftovers(living: ReadonlySet<string>, options: LeftoverOptions = {}): Promise<readonly Leftover[]> {
		const isLost = (id: string) => !living.has(id);
		const attachments = await Promise.all(
			(await this.#store.list()).filter(isLost).map((id) => this.#lostAttachment(id)),
		);
		const pins = (await this.#pins.list()).filter(isLost).map((id) => this.#lostPin(id));
		const isToGo = options.fix ?? (() => false);
		for (const lost of attachments.filter(isToGo)) await this.#attacher.detach(lost.sandboxId);
		for (const lost of pins.filter(isToGo)) await this.#pins.remove(lost.sandboxId);
		return [...attachments, ...pins];
	}

	async #lostAttachment(sandboxId: string): Promise<Leftover> {
		const { args = '', network } = (await this.#store.read(sandboxId).catch(() => undefined)) ?? {};
		const argument = (name: string) => new RegExp(`(?:^|;)${name}=([^;]*)`).exec(args)?.[1] ?? '';
		return {
			kind: 'CNI attachment',
			name: sandboxId,
			sandboxId,
			pod: args === '' ? '' : `${argument('K8S_POD_NAMESPACE')}/${argument('K8S_POD_NAME')}`,
			sinceMs: await this.#store.writtenMs(sandboxId),
			why: `its sandbox does not live, but no DEL of network ${network?.name ?? 'unknown'} has succeeded for it`,
			remedy: 'gantry doctor --fix',
		};
	}

	#lostPin(sandboxId: string): Leftover {
		const path = this.#pins.path(sandboxId);
		return {
			kind: 'network namespace',
			name: path,
			sandboxId,
			pod: '',
			sinceMs: undefined,
			why: 'its sandbox does not live',
			remedy: `umount ${path} && rm ${path}`,
		};
	}

	async close(): Promise<void> {
		this.configuration.close();
		this.#attacher.close();
		await this.#server.close();
	}

	/** A socket that cannot be is a reason not to be ready, not one to keep the daemon from starting. */
	async #listen(): Promise<void> {
		try {
			await this.#server.listen();
			this.#cannotServe = '';
		} catch (error) {
			this.#cannotServe = `Cannot listen for network hooks at ${this.#server.path}: ${messageOf(error)}`;
			this.#options.log.error('network hooks cannot be served', { error });
		}
	}

	#hook(verb: 'add' | 'del', { token }: StoredAttachment) {
		const args = ['gantry-hook', 'ask', this.#server.path, verb, token];
		return { path: this.#options.hookBinary, args, timeout: HOOK_TIMEOUT_SECONDS };
	}

	#serve({ sandboxId, token }: StoredAttachment): void {
		this.#server.register(token, async (verb) => {
			if (verb === 'add') await this.#attach(sandboxId);
			else if (verb === 'del') await this.#attacher.detach(sandboxId);
			else throw invalidArgument(`The network hook has no verb ${JSON.stringify(verb)}`);
		});
	}

	/** Not while garbage is collected: the plugins have not been told of this one. */
	async #attach(sandboxId: string): Promise<void> {
		await this.#collecting;
		await this.#attacher.attach(sandboxId);
	}

	async #adopt(sandboxId: string): Promise<void> {
		try {
			const attachment = await this.#attacher.adopt(sandboxId);
			if (attachment !== undefined) this.#serve(attachment);
		} catch (error) {
			this.#options.log.warn('cannot take over the CNI attachment of a sandbox', {
				sandbox: sandboxId,
				error,
			});
		}
	}

	async #freeLost(sandboxId: string): Promise<void> {
		const failures = await this.#attacher.detach(sandboxId);
		this.#options.log.info('freed the CNI attachment of a lost sandbox', { sandbox: sandboxId, failures });
	}

	async #removeLostPin(sandboxId: string): Promise<void> {
		for (const failure of await attempt(() => this.#pins.remove(sandboxId)))
			this.#options.log.warn('cannot remove the namespace file of a lost sandbox', {
				sandbox: sandboxId,
				failure,
			});
	}

	async #collectGarbage(): Promise<void> {
		const { network } = this.configuration;
		if (network === undefined) return;
		for (const failure of await collectGarbage(this.#runner, network, this.#attacher.all))
			this.#options.log.warn('CNI garbage collection failed', { failure });
	}

	#resultOf(sandboxId: string): NetworkResult {
		const attachment = this.#attacher.get(sandboxId);
		if (attachment?.result === undefined)
			throw internal(
				`The network hook of sandbox ${sandboxId} did not run: the bundle's createRuntime hook is missing`,
			);
		const { result, network } = attachment;
		const dns = dnsOf(result);
		return {
			provider: 'cni',
			ips: ipsOf(result),
			interfaceName: INTERFACE,
			...(dns === undefined ? {} : { dns }),
			data: { version: 1, network: network.name, cniVersion: network.cniVersion, result },
		};
	}
}
