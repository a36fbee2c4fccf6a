import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { aborted, internal, invalidArgument, messageOf, StatusError, unavailable } from '#base/errors.ts';
import { isId } from '#base/ids.ts';
import { KeyedLock } from '#base/keyed-lock.ts';
import type { Log } from '#base/log.ts';
import type { Launcher } from '#runtime';
import { HookServer } from '../hook-server.ts';
import { linkUp } from '../netlink/route.ts';
import { hostPortsOf } from '../port-mappings.ts';
import { writeNote } from '../sandbox-files.ts';
import type {
	Leftover,
	LivingSandbox,
	NetworkProvider,
	NetworkResult,
	NetworkStatus,
	PreparedNetwork,
	SandboxNetworkRequest,
} from '../types.ts';
import { AttachmentStore, type StoredAttachment } from './attachments.ts';
import { cniArguments, runtimeCapabilities } from './capabilities.ts';
import { addChain, checkChain, collectGarbage, deleteChain } from './chain.ts';
import { CniConfiguration } from './configuration.ts';
import { attempt, createPluginRunner, type PluginRunner } from './plugin.ts';
import { dnsOf, ipsOf } from './result.ts';
import { Retries } from './retries.ts';

export interface CniOptions {
	readonly confDir: string;
	readonly binDirs: readonly string[];
	readonly launcher: Pick<Launcher, 'applyNetwork' | 'run' | 'teardown'>;
	/** On tmpfs: the hook's socket and the namespace files. */
	readonly stateFolder: string;
	/** On disk: the attachments. */
	readonly cacheFolder: string;
	readonly hookBinary: string;
	readonly log: Log;
}

/** Longer than the launcher lets all plugins of a usual chain run. */
const HOOK_TIMEOUT_SECONDS = 110;
const INTERFACE = 'eth0';
const LOOPBACK_INDEX = 1;

/** Networks by CNI plugins, run when the sandbox's hooks ask for it. */
export class CniProvider implements NetworkProvider {
	readonly name = 'cni';
	readonly configuration: CniConfiguration;
	readonly #options: CniOptions;
	readonly #runner: PluginRunner;
	readonly #store: AttachmentStore;
	readonly #server: HookServer;
	readonly #retries: Retries;
	readonly #locks = new KeyedLock();
	readonly #attached = new Map<string, StoredAttachment>();

	constructor(options: CniOptions) {
		this.#options = options;
		this.#runner = createPluginRunner(options.launcher, options.binDirs);
		this.configuration = new CniConfiguration(options.confDir, this.#runner, options.log);
		this.#store = new AttachmentStore(join(options.cacheFolder, 'attachments'));
		this.#server = new HookServer(join(options.stateFolder, 'hook.sock'), options.log);
		this.#retries = new Retries(options.log);
	}

	status(): NetworkStatus {
		return this.configuration.status;
	}

	async restore(living: readonly LivingSandbox[]): Promise<void> {
		await this.configuration.start();
		await this.#server.listen();
		const alive = new Set(living.map(({ sandboxId }) => sandboxId));
		for (const sandboxId of await this.#store.list()) {
			if (alive.has(sandboxId)) await this.#adopt(sandboxId);
			else void this.#forget(sandboxId);
		}
		await this.#removePins(alive);
		const { network } = this.configuration;
		if (network !== undefined)
			for (const failure of await collectGarbage(this.#runner, network, [...this.#attached.values()]))
				this.#options.log.warn('CNI garbage collection failed', { failure });
	}

	async prepare(request: SandboxNetworkRequest): Promise<PreparedNetwork> {
		const { network } = this.configuration;
		if (network === undefined)
			throw unavailable(`Cannot attach sandbox ${request.sandboxId}: ${this.status().message}`);
		hostPortsOf(request.portMappings, [4, 6]);
		const netns = this.#pinPath(request.sandboxId);
		const attachment: StoredAttachment = {
			network,
			sandboxId: request.sandboxId,
			netns,
			interfaceName: INTERFACE,
			args: cniArguments(request),
			capabilities: runtimeCapabilities(request),
			result: undefined,
			token: HookServer.newToken(),
		};
		await mkdir(join(this.#options.stateFolder, 'netns'), { recursive: true, mode: 0o711 });
		await writeNote(request.folder, 'cni', { network: network.name });
		this.#serve(attachment);
		const hook = (verb: string) => ({
			path: this.#options.hookBinary,
			args: ['gantry-hook', 'ask', this.#server.path, verb, attachment.token],
			timeout: HOOK_TIMEOUT_SECONDS,
		});
		return {
			hooks: { createRuntime: [hook('add')], poststop: [hook('del')] },
			pins: [{ name: 'net', path: netns }],
			result: async () => this.#resultOf(request.sandboxId),
			abandon: async () => {
				await this.release(request.sandboxId);
			},
		};
	}

	async release(sandboxId: string): Promise<string> {
		const failures = await this.#detach(sandboxId);
		failures.push(...(await attempt(() => this.#removePin(sandboxId))));
		return failures.join('; ');
	}

	async setPodCidr(cidrs: readonly string[]): Promise<void> {
		this.#options.log.info('pod CIDR is left to the CNI configuration', { cidrs });
	}

	async describe(folder: string): Promise<readonly string[]> {
		const attachment = [...this.#attached.keys()].find((id) => folder.includes(id));
		const stored = attachment === undefined ? await this.#storedFor(folder) : this.#attached.get(attachment);
		if (stored === undefined) return [];
		const { network, netns, capabilities, result } = stored;
		return [
			'pod   lo up',
			...network.plugins.map(({ type, capabilities: own }) => {
				const told = [...own].filter((name) => name in capabilities);
				return `pod   CNI ${network.cniVersion} ADD ${type} (network ${network.name})${told.length > 0 ? ` with ${told.join(', ')}` : ''}`;
			}),
			`      namespace ${netns}, result ${JSON.stringify(result ?? 'none yet')}`,
		];
	}

	async leftovers(
		living: ReadonlySet<string>,
		options: { readonly fix?: boolean; readonly stopped?: boolean } = {},
	): Promise<readonly Leftover[]> {
		const lost = (await this.#store.list()).filter((id) => !living.has(id));
		const pins = (await this.#pins()).filter((id) => !living.has(id));
		const why = (id: string) => `sandbox ${id} does not live`;
		if (options.fix) {
			for (const id of lost) await this.#detach(id);
			for (const id of pins) await this.#removePin(id);
		}
		return [
			...lost.map((id) => ({
				kind: 'CNI attachment',
				name: id,
				why: why(id),
				remedy: 'gantry doctor --fix',
			})),
			...pins.map((id) => ({
				kind: 'network namespace',
				name: this.#pinPath(id),
				why: why(id),
				remedy: `umount ${this.#pinPath(id)} && rm ${this.#pinPath(id)}`,
			})),
		];
	}

	async close(): Promise<void> {
		this.configuration.close();
		this.#retries.close();
		await this.#server.close();
	}

	#serve(attachment: StoredAttachment): void {
		const { sandboxId, token } = attachment;
		this.#attached.set(sandboxId, attachment);
		this.#server.register(token, async (verb) => {
			if (verb === 'add') await this.#attach(sandboxId);
			else if (verb === 'del') await this.#detach(sandboxId);
			else throw invalidArgument(`the network hook has no verb ${JSON.stringify(verb)}`);
		});
	}

	/** ADD of the chain; what a failed one has made is taken back at once. */
	#attach(sandboxId: string): Promise<void> {
		return this.#locks.run(sandboxId, async () => {
			const attachment = this.#attached.get(sandboxId);
			if (attachment === undefined) throw aborted(`sandbox ${sandboxId} was given up`);
			await this.#store.write(attachment);
			try {
				await this.#options.launcher.applyNetwork(attachment.netns, [linkUp('pod', 'lo', LOOPBACK_INDEX)]);
				const result = await addChain(this.#runner, attachment);
				const attached = { ...attachment, result };
				this.#attached.set(sandboxId, attached);
				await this.#store.write(attached);
				ipsOf(result);
			} catch (error) {
				const failures = await this.#deleteNow(this.#attached.get(sandboxId) ?? attachment);
				if (failures.length > 0 && error instanceof StatusError)
					error.message += ` (clean-up: ${failures.join('; ')})`;
				throw error;
			}
		});
	}

	/** DEL of the chain if ADD was ever begun. A failed one is tried again in the background; it keeps nobody waiting. */
	#detach(sandboxId: string): Promise<string[]> {
		return this.#locks.run(sandboxId, async () => {
			let stored: StoredAttachment | undefined;
			const unreadable = await attempt(async () => {
				stored = await this.#store.read(sandboxId);
			});
			this.#release(sandboxId);
			if (stored === undefined) return unreadable;
			const failures = await this.#deleteNow(stored);
			if (failures.length > 0) this.#deleteLater(stored);
			return failures;
		});
	}

	#release(sandboxId: string): void {
		const attachment = this.#attached.get(sandboxId);
		this.#attached.delete(sandboxId);
		// The poststop hook of a sandbox whose attachment is gone already must still be answered: with nothing to do.
		if (attachment !== undefined) this.#server.register(attachment.token, async () => {});
		if (attachment !== undefined)
			setTimeout(() => this.#server.forget(attachment.token), HOOK_TIMEOUT_SECONDS * 1000).unref();
	}

	async #deleteNow(attachment: StoredAttachment): Promise<string[]> {
		const failures = await deleteChain(this.#runner, attachment);
		if (failures.length > 0) return failures;
		this.#retries.cancel(attachment.sandboxId);
		return attempt(() => this.#store.remove(attachment.sandboxId));
	}

	/** By then the namespace is gone: plugins must do with an empty CNI_NETNS, as the specification says. */
	#deleteLater(attachment: StoredAttachment): void {
		const { sandboxId } = attachment;
		this.#options.log.warn('CNI DEL failed; trying again in the background', { sandbox: sandboxId });
		this.#retries.schedule(sandboxId, () =>
			this.#locks.run(sandboxId, () => this.#deleteNow({ ...attachment, netns: '' })),
		);
	}

	/** Of a sandbox that does not live any more. */
	async #forget(sandboxId: string): Promise<void> {
		const failures = await this.#detach(sandboxId);
		if (failures.length > 0)
			this.#options.log.warn('cannot free the CNI attachment of a lost sandbox', {
				sandbox: sandboxId,
				failures,
			});
		else this.#options.log.info('freed the CNI attachment of a lost sandbox', { sandbox: sandboxId });
	}

	async #adopt(sandboxId: string): Promise<void> {
		try {
			const attachment = await this.#store.read(sandboxId);
			if (attachment === undefined) return;
			this.#serve(attachment);
			void checkChain(this.#runner, attachment).catch((error) =>
				this.#options.log.warn('CNI CHECK found a sandbox changed', {
					sandbox: sandboxId,
					error: messageOf(error),
				}),
			);
		} catch (error) {
			this.#options.log.warn('cannot take over the CNI attachment of a sandbox', {
				sandbox: sandboxId,
				error,
			});
		}
	}

	#resultOf(sandboxId: string): NetworkResult {
		const attachment = this.#attached.get(sandboxId);
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

	async #storedFor(folder: string): Promise<StoredAttachment | undefined> {
		const id = (await this.#store.list()).find((one) => folder.includes(one));
		return id === undefined ? undefined : this.#store.read(id);
	}

	#pinPath(sandboxId: string): string {
		return join(this.#options.stateFolder, 'netns', sandboxId);
	}
	async #pins(): Promise<string[]> {
		return (await readdir(join(this.#options.stateFolder, 'netns')).catch((): string[] => [])).filter(isId);
	}
	async #removePins(living: ReadonlySet<string>): Promise<void> {
		for (const id of await this.#pins())
			if (!living.has(id))
				for (const failure of await attempt(() => this.#removePin(id)))
					this.#options.log.warn('cannot remove a namespace file', { failure });
	}
	/** The launcher unmounts the namespace and removes its file; a missing one is fine. */
	async #removePin(sandboxId: string): Promise<void> {
		await this.#options.launcher.teardown([{ op: 'unmount', path: this.#pinPath(sandboxId), remove: 1 }]);
	}
}
