import { access } from 'node:fs/promises';
import { failedPrecondition, internal, messageOf, unavailable } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { withRollback } from '#base/rollback.ts';
import type { Launcher } from '#runtime';
import { type Family, formatAddress, formatSubnet, type Subnet } from '../ip.ts';
import { hostPortsOf } from '../port-mappings.ts';
import {
	describePlan,
	networkFiles,
	readNote,
	readPlan,
	readResults,
	writeNote,
	writePlan,
} from '../sandbox-files.ts';
import type {
	Leftover,
	LivingSandbox,
	NetworkProvider,
	NetworkResult,
	NetworkStatus,
	PreparedNetwork,
	SandboxNetworkRequest,
} from '../types.ts';
import { AddressPool } from './address-pool.ts';
import { type Allocation, decodeAllocation, encodeAllocation, portsOf } from './allocation.ts';
import { HostNetwork, type HostState } from './host-network.ts';
import { HostPorts } from './host-ports.ts';
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
	readonly #allocations = new Map<string, Allocation>();
	readonly #ports = new HostPorts();
	#pools: readonly AddressPool[] = [];
	#state: HostState | undefined;
	#failure = 'the network of the host is not set up yet';
	#settingUp: Promise<HostState> | undefined;
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
		for (const { sandboxId, result } of living) this.#adopt(sandboxId, result);
		await this.#removeLostLinks();
		await this.#setUp().catch((error) =>
			this.#options.log.error('cannot set up the network of the host', { error }),
		);
		const interval = this.#options.checkIntervalMs ?? 20_000;
		if (interval > 0) this.#timer ??= setInterval(() => void this.#lookAfterHost(), interval).unref();
	}

	async prepare(request: SandboxNetworkRequest): Promise<PreparedNetwork> {
		const state = this.#state ?? (await this.#setUp().catch(notReady));
		const allocation = this.#allocate(request, state);
		const { instance, hookBinary } = this.#options;
		const files = networkFiles(request.folder);
		const steps = attachSteps({ instance, ...state }, allocation);
		const undo = () => this.#detach(allocation).then(() => {});
		await withRollback(async (rollback) => {
			rollback.push('the network allocation', () => this.#free(allocation.sandboxId));
			await Promise.all([
				writeNote(request.folder, 'builtin', encodeAllocation(allocation)),
				writePlan(files.plan, steps),
				writePlan(files.removePlan, detachSteps(instance, allocation)),
			]);
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
			result: async () => {
				const results = await readResults(files.result);
				if (results === undefined)
					throw internal(
						`The network hook of sandbox ${request.sandboxId} left no result: the bundle's createRuntime hook did not run`,
					);
				return resultOf(
					allocation,
					results.map(({ step, elapsed_ns }) => ({
						label: steps[step]?.label ?? '',
						elapsedNs: Number(elapsed_ns),
					})),
				);
			},
			abandon: undo,
		};
	}

	async release(sandboxId: string, folder: string, result: NetworkResult | undefined): Promise<string> {
		const allocation = this.#allocations.get(sandboxId) ?? (await recordedAllocation(folder, result));
		if (allocation === undefined) return '';
		const done = await access(networkFiles(folder).removeResult).then(
			() => true,
			() => false,
		);
		if (!done) return this.#detach(allocation);
		this.#free(sandboxId);
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

	leftovers(
		living: ReadonlySet<string>,
		options: { readonly fix?: boolean; readonly stopped?: boolean } = {},
	): Promise<readonly Leftover[]> {
		const { instance, launcher } = this.#options;
		return findLeftovers({
			instance,
			launcher,
			living,
			fix: options.fix ?? false,
			stopped: options.stopped ?? false,
		});
	}

	async close(options: { readonly removeHostParts?: boolean } = {}): Promise<void> {
		clearInterval(this.#timer);
		await this.#settingUp?.catch(() => {});
		if (!options.removeHostParts || this.#allocations.size > 0) return;
		this.#state = undefined;
		await this.#host.tearDown();
	}

	/** A record that cannot be read costs that sandbox its place in the books, nothing else. */
	#adopt(sandboxId: string, result: NetworkResult): void {
		try {
			const allocation = decodeAllocation(result.data);
			this.#allocations.set(sandboxId, allocation);
			this.#ports.adopt(allocation, portsOf(allocation));
			for (const { address } of allocation.addresses) for (const pool of this.#pools) pool.adopt(address);
		} catch (error) {
			this.#options.log.warn('cannot take over the network of a sandbox', { sandbox: sandboxId, error });
		}
	}

	#allocate(
		{ sandboxId, namespace, name, portMappings }: SandboxNetworkRequest,
		{ subnets }: HostState,
	): Allocation {
		if (this.#allocations.has(sandboxId))
			throw failedPrecondition(`Sandbox ${sandboxId} is on the network already`);
		const pod = `${namespace}/${name}`;
		const families: Family[] = subnets.map(({ family }) => family);
		this.#ports.reserve({ sandboxId, pod }, hostPortsOf(portMappings, families));
		const taken: Allocation['addresses'][number][] = [];
		try {
			for (const pool of this.#pools) taken.push({ address: pool.allocate(), subnet: pool.subnet });
		} catch (error) {
			this.#ports.release(sandboxId);
			for (const { address } of taken) for (const pool of this.#pools) pool.release(address);
			throw error;
		}
		const allocation = {
			sandboxId,
			pod,
			addresses: taken,
			portMappings: portMappings.filter(({ hostPort }) => hostPort !== 0),
		};
		this.#allocations.set(sandboxId, allocation);
		return allocation;
	}

	#free(sandboxId: string): void {
		const allocation = this.#allocations.get(sandboxId);
		if (allocation === undefined) return;
		this.#allocations.delete(sandboxId);
		this.#ports.release(sandboxId);
		for (const { address } of allocation.addresses) for (const pool of this.#pools) pool.release(address);
	}

	async #detach(allocation: Allocation): Promise<string> {
		try {
			await this.#options.launcher.applyNetwork('', detachSteps(this.#options.instance, allocation));
			return '';
		} catch (error) {
			return `Cannot take sandbox ${allocation.sandboxId} off the network: ${messageOf(error)}`;
		} finally {
			this.#free(allocation.sandboxId);
		}
	}

	/** One at a time; a call during another one waits and runs after it, so that it sees what changed. */
	#setUp(): Promise<HostState> {
		const before = this.#settingUp ?? Promise.resolve();
		const running = before
			.catch(() => {})
			.then(async () => {
				try {
					const state = await this.#host.setUp(this.#allocations);
					this.#usePools(state.subnets);
					this.#state = state;
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

	#usePools(subnets: readonly Subnet[]): void {
		this.#pools = subnets.map(
			(subnet) =>
				this.#pools.find((pool) => formatSubnet(pool.subnet) === formatSubnet(subnet)) ??
				new AddressPool(subnet),
		);
		for (const { addresses } of this.#allocations.values())
			for (const { address } of addresses) for (const pool of this.#pools) pool.adopt(address);
	}

	/** `nft flush ruleset` of an administrator, or a deleted bridge, is mended without a restart. */
	async #lookAfterHost(): Promise<void> {
		try {
			if (this.#state !== undefined && (await this.#host.isIntact(this.#state))) return;
			this.#options.log.warn('setting up the network of the host anew', {
				why: this.#state ? 'bridge or table is gone' : this.#failure,
			});
			await this.#setUp();
		} catch (error) {
			this.#options.log.error('cannot set up the network of the host', { error });
		}
	}

	async #removeLostLinks(): Promise<void> {
		try {
			const lost = await this.leftovers(new Set(this.#allocations.keys()), { fix: true });
			for (const leftover of lost) this.#options.log.info('removed what no sandbox owns', { ...leftover });
		} catch (error) {
			this.#options.log.warn('cannot look for links of lost sandboxes', { error });
		}
	}
}

function notReady(error: unknown): never {
	throw unavailable(`The network of the host is not ready: ${messageOf(error)}`, { cause: error });
}

async function recordedAllocation(
	folder: string,
	result: NetworkResult | undefined,
): Promise<Allocation | undefined> {
	const data = result?.data ?? (await readNote(folder).catch(() => undefined))?.data;
	return data === undefined ? undefined : decodeAllocation(data);
}

const resultOf = (allocation: Allocation, timings: NonNullable<NetworkResult['timings']>): NetworkResult => ({
	provider: 'builtin',
	ips: allocation.addresses.map(({ address }) => formatAddress(address)),
	interfaceName: POD_INTERFACE,
	data: encodeAllocation(allocation),
	timings,
});
