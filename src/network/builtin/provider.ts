import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { internal, messageOf, unavailable } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { withRollback } from '#base/rollback.ts';
import type { Launcher } from '#runtime';
import { bandwidthOf } from '../bandwidth.ts';
import { formatAddress } from '../ip.ts';
import {
	describePlan,
	isPlan,
	networkFiles,
	readNote,
	readPlan,
	readResults,
	writeNote,
	writePlan,
} from '../sandbox-files.ts';
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
import { type Allocation, decodeAllocation, encodeAllocation } from './allocation.ts';
import { HostNetwork, type HostState } from './host-network.ts';
import { Ledger } from './ledger.ts';
import { findLeftovers } from './leftovers.ts';
import { attachSteps, detachSteps, POD_INTERFACE } from './pod-plan.ts';
import { parseSubnets } from './subnets.ts';

export interface BuiltinOptions {
	readonly instance: string;
	readonly subnets: readonly string[];
	readonly launcher: Pick<Launcher, 'applyNetwork'>;
	readonly stateFolder: string;
	/** Path of gantry-hook. */
	readonly hookBinary: string;
	readonly log: Log;
	/** How often the host's side is looked after, ms; 0: never. Default 20000. */
	readonly checkIntervalMs?: number;
}

const HOOK_TIMEOUT_SECONDS = 20;

/** Bridge, veth pairs, masquerade and host ports by netlink alone. */
export class BuiltinProvider implements NetworkProvider {
	readonly name = 'builtin';
	readonly #options: BuiltinOptions;
	readonly #host: HostNetwork;
	readonly #ledger = new Ledger();
	#state: HostState | undefined;
	#failure = 'the network of the host is not set up yet';
	#settingUp: Promise<HostState> | undefined;
	#setUpAtMs = 0;
	#closed = false;
	#looking: Promise<void> = Promise.resolve();
	#timer: NodeJS.Timeout | undefined;

	constructor(options: BuiltinOptions) {
		this.#options = options;
		this.#host = new HostNetwork(options);
	}

	status(): NetworkStatus {
		return this.#state === undefined
			? { ready: false, reason: 'HostNetworkNotReady', message: this.#failure }
			: { ready: true, reason: '', message: '' };
	}

	async restore(living: readonly LivingSandbox[]): Promise<void> {
		const recorded = await Promise.all(living.map((sandbox) => this.#recorded(sandbox)));
		// In the order given: of two that claim one port the first has it.
		await Promise.all(living.map((sandbox, index) => this.#adopt(sandbox, recorded[index])));
		await this.#removeLost(new Set(living.map(({ sandboxId }) => sandboxId)));
		await this.#setUp().catch((error) =>
			this.#options.log.error('cannot set up the network of the host', { error }),
		);
		const interval = this.#options.checkIntervalMs ?? 20_000;
		if (interval > 0) this.#lookAgain(interval);
	}

	async prepare(request: SandboxNetworkRequest): Promise<PreparedNetwork> {
		const state = this.#state ?? (await this.#setUp().catch(notReady));
		const bandwidth = bandwidthOf(request.annotations);
		const allocation = this.#ledger.allocate(request);
		const { instance, hookBinary } = this.#options;
		const files = networkFiles(request.folder);
		const steps = attachSteps({ instance, ...state }, allocation, bandwidth);
		const undo = () => this.#detach(allocation).then(() => {});
		await withRollback(async (rollback) => {
			rollback.push('the network allocation', () => this.#ledger.free(allocation.sandboxId));
			writeNote(request.folder, 'builtin', encodeAllocation(allocation));
			writePlan(files.plan, steps);
			writePlan(files.removePlan, detachSteps(instance, allocation));
		});
		const hook = (verb: string, plan: string, result: string) => ({
			path: hookBinary,
			args: ['gantry-hook', verb, plan, result],
			timeout: HOOK_TIMEOUT_SECONDS,
		});
		return {
			hooks: {
				createRuntime: [hook('apply', files.plan, files.result)],
				poststop: [hook('apply-host', files.removePlan, files.removeResult)],
			},
			pins: [],
			ips: ipsOf(allocation),
			result: async () => {
				if ((await readResults(files.result)) === undefined)
					throw internal(
						`The network hook of sandbox ${request.sandboxId} left no result: the bundle's createRuntime hook did not run`,
					);
				return resultOf(allocation);
			},
			abandon: undo,
		};
	}

	async release(sandboxId: string, folder: string): Promise<string> {
		const allocation = this.#ledger.allocations.get(sandboxId);
		if (allocation === undefined) return await this.#removeOwn(sandboxId);
		// Before another sandbox can have what this one held: the poststop hook may be run again.
		await this.#forgetRemovePlan(folder);
		if (!this.#isDetached(folder)) return this.#detach(allocation);
		this.#ledger.free(sandboxId);
		return '';
	}

	async setPodCidr(cidrs: readonly string[]): Promise<void> {
		const texts = cidrs.flatMap((text) => text.split(',')).filter((text) => text !== '');
		if (texts.length === 0) return;
		const subnets = parseSubnets(texts);
		if (this.#options.subnets.length > 0) {
			this.#options.log.info('pod CIDR ignored: network.subnets is set', { cidrs });
			return;
		}
		await this.#host.usePodCidr(subnets);
		await this.#setUp();
	}

	async describe(folder: string): Promise<readonly string[]> {
		const files = networkFiles(folder);
		return describePlan((await readPlan(files.plan)) ?? [], await readResults(files.result));
	}

	leftovers(living: ReadonlySet<string>, options: LeftoverOptions = {}): Promise<readonly Leftover[]> {
		const { instance, launcher } = this.#options;
		return findLeftovers({ ...options, instance, launcher, living });
	}

	async close(options: { readonly removeHostParts?: boolean } = {}): Promise<void> {
		this.#closed = true;
		clearTimeout(this.#timer);
		await this.#looking;
		await this.#settingUp?.catch(() => {});
		if (!options.removeHostParts || this.#ledger.allocations.size > 0) return;
		this.#state = undefined;
		await this.#host.tearDown();
	}

	/** The poststop hook ran, and no set-up since, which may have put the host ports back. */
	#isDetached(folder: string): boolean {
		const file = statSync(networkFiles(folder).removeResult, { throwIfNoEntry: false });
		return file !== undefined && file.mtimeMs > this.#setUpAtMs;
	}

	/** A record that cannot be read costs that sandbox its place in the books, nothing else. */
	async #recorded(sandbox: LivingSandbox): Promise<Allocation | undefined> {
		try {
			return await recordedAllocation(sandbox);
		} catch (error) {
			this.#tellUnadopted(sandbox, error);
			return undefined;
		}
	}

	async #adopt(sandbox: LivingSandbox, allocation: Allocation | undefined): Promise<void> {
		const { sandboxId, folder } = sandbox;
		if (allocation === undefined) return;
		try {
			const lost = this.#ledger.adopt(allocation);
			if (lost.length > 0)
				this.#options.log.warn('a sandbox has lost host ports to another one', { sandbox: sandboxId, lost });
			await this.#mendRemovePlan(folder, allocation);
		} catch (error) {
			this.#tellUnadopted(sandbox, error);
		}
	}

	#tellUnadopted({ sandboxId }: LivingSandbox, error: unknown): void {
		this.#options.log.warn('cannot take over the network of a sandbox', { sandbox: sandboxId, error });
	}

	/**
	 * Of a sandbox that the books do not have, because it was released before or its records are damaged: what tells
	 * itself that it is this one's. What its records tell may be others' by now.
	 */
	async #removeOwn(sandboxId: string): Promise<string> {
		const isIts = ({ sandboxId: owner }: Leftover): boolean => owner !== '' && sandboxId.startsWith(owner);
		try {
			await this.leftovers(new Set(this.#ledger.allocations.keys()), { fix: isIts });
			return '';
		} catch (error) {
			return `Cannot look for what sandbox ${sandboxId} has on the network: ${messageOf(error)}`;
		}
	}

	async #forgetRemovePlan(folder: string): Promise<void> {
		const { removePlan } = networkFiles(folder);
		try {
			writePlan(removePlan, []);
		} catch {
			await rm(removePlan, { recursive: true, force: true });
		}
	}

	/** A hook carries it out without looking: that of another sandbox would take that one off the network. */
	async #mendRemovePlan(folder: string, allocation: Allocation): Promise<void> {
		const { removePlan } = networkFiles(folder);
		const steps = detachSteps(this.#options.instance, allocation);
		if (isPlan(removePlan, steps)) return;
		this.#options.log.warn('a network plan was damaged or given up and is written anew', {
			path: removePlan,
		});
		await rm(removePlan, { recursive: true, force: true });
		writePlan(removePlan, steps);
	}

	async #detach(allocation: Allocation): Promise<string> {
		try {
			await this.#options.launcher.applyNetwork('', detachSteps(this.#options.instance, allocation));
			return '';
		} catch (error) {
			return `Cannot take sandbox ${allocation.sandboxId} off the network: ${messageOf(error)}`;
		} finally {
			this.#ledger.free(allocation.sandboxId);
		}
	}

	/** One at a time; a call during another one waits and runs after it, so that it sees what changed. */
	#setUp(): Promise<HostState> {
		const before = this.#settingUp ?? Promise.resolve();
		const running = before
			.catch(() => {})
			.then(async () => {
				try {
					const state = await this.#host.setUp(this.#ledger.allocations);
					this.#ledger.usePools(state.subnets);
					this.#state = state;
					this.#setUpAtMs = Date.now();
					return state;
				} catch (error) {
					this.#state = undefined;
					this.#failure = messageOf(error);
					throw error;
				}
			});
		this.#settingUp = running;
		return running;
	}

	#lookAgain(intervalMs: number): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			this.#looking = this.#lookAfterHost().finally(() => {
				if (!this.#closed) this.#lookAgain(intervalMs);
			});
		}, intervalMs).unref();
	}

	/** `nft flush ruleset` of an administrator, or a deleted bridge, is mended without a restart. */
	async #lookAfterHost(): Promise<void> {
		try {
			if (this.#state !== undefined && (await this.#host.isIntact(this.#state))) return;
			if (this.#closed) return;
			this.#options.log.warn('setting up the network of the host anew', {
				why: this.#state ? 'bridge or table is gone' : this.#failure,
			});
			await this.#setUp();
		} catch (error) {
			this.#options.log.error('cannot set up the network of the host', { error });
		}
	}

	async #removeLost(living: ReadonlySet<string>): Promise<void> {
		try {
			const lost = await this.leftovers(living, { fix: () => true });
			for (const leftover of lost) this.#options.log.info('removed what no sandbox owns', { ...leftover });
		} catch (error) {
			this.#options.log.warn('cannot look for links of lost sandboxes', { error });
		}
	}
}

function notReady(error: unknown): never {
	throw unavailable(`The network of the host is not ready: ${messageOf(error)}`, { cause: error });
}

/** From the record, or else from the note that was written before anything was made. DATA_LOSS when both are damaged. */
async function recordedAllocation(sandbox: LivingSandbox): Promise<Allocation | undefined> {
	const { sandboxId, folder, result } = sandbox;
	const note = await readNote(folder).catch(() => undefined);
	const candidates = [result.data, note?.data].filter((data) => data !== undefined);
	let failure: unknown;
	for (const data of candidates)
		try {
			return decodeAllocation(data, sandboxId);
		} catch (error) {
			failure = error;
		}
	if (failure !== undefined) throw failure;
	return undefined;
}

const ipsOf = ({ addresses }: Allocation): string[] => addresses.map(({ address }) => formatAddress(address));

const resultOf = (allocation: Allocation): NetworkResult => ({
	provider: 'builtin',
	ips: ipsOf(allocation),
	interfaceName: POD_INTERFACE,
	data: encodeAllocation(allocation),
});
