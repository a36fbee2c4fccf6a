import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '#base/atomic-file.ts';
import { errnoOf, failedPrecondition } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { Launcher } from '#runtime';
import { formatSubnet, type Subnet } from '../ip.ts';
import { bridgeAlias, bridgeName, hostLinkName, tableName } from '../names.ts';
import { type HostView, readHostView } from '../netlink/host-view.ts';
import { listTables, readTableNames } from '../netlink/nftables.ts';
import { dumpHost, removeLink } from '../netlink/route.ts';
import type { Allocation } from './allocation.ts';
import { removeTable, replaceTable } from './firewall.ts';
import { droppingForwardChains } from './forward-policy.ts';
import { bridgeIndexOf, enslaveSteps, findBridge, hostSteps, podMtu } from './host-plan.ts';
import { chooseSubnets, claimsOf, parseSubnets, refuseOverlap } from './subnets.ts';

export interface HostNetworkOptions {
	readonly instance: string;
	/** From the configuration; empty: chosen. */
	readonly subnets: readonly string[];
	readonly launcher: Pick<Launcher, 'applyNetwork'>;
	readonly stateFolder: string;
	readonly log: Log;
}

/** What is set up on the host. */
export interface HostState {
	/** Networks that new pods get addresses of, IPv4 first. */
	readonly subnets: readonly Subnet[];
	readonly bridgeIndex: number;
	readonly mtu: number;
}

/** Asks the kernel for links, addresses and routes. */
export const lookAtHost = async (launcher: Pick<Launcher, 'applyNetwork'>): Promise<HostView> =>
	readHostView(await launcher.applyNetwork('', dumpHost()));

/** Bridge, settings and nftables table of the instance. */
export class HostNetwork {
	readonly #options: HostNetworkOptions;
	#foreignFirewall = '';

	constructor(options: HostNetworkOptions) {
		this.#options = options;
	}

	/**
	 * Makes everything as it should be, for these sandboxes; what is right already is left alone. Throws when it
	 * cannot be: networks that overlap others, a foreign link with our name, a kernel without what is needed.
	 */
	async setUp(allocations: ReadonlyMap<string, Allocation>): Promise<HostState> {
		const { instance, launcher } = this.#options;
		const view = await lookAtHost(launcher);
		this.#refuseForeignBridge(view);
		const ipv6 = (await readSysctl('net/ipv6/conf/all/forwarding')) !== '';
		const subnets = await this.#subnets(view, allocations, ipv6);
		refuseMissingIpv6(subnets, ipv6);
		const all = distinct([...subnets, ...subnetsOf(allocations)]);
		const sysctls = await readSysctls(view);
		const facts = { instance, subnets: all, view, ipv6, sysctl: (name: string) => sysctls.get(name) ?? '' };
		const names = new Set([...allocations.keys()].map((id) => hostLinkName(instance, id)));
		await launcher.applyNetwork('', [
			...hostSteps(facts),
			...enslaveSteps(instance, view, names),
			replaceTable(instance, all, allocations.values()),
		]);
		await this.#warnOfForeignFirewall();
		return { subnets, bridgeIndex: bridgeIndexOf(instance, view), mtu: podMtu(view) };
	}

	/** Whether bridge and table are still there. */
	async isIntact({ bridgeIndex }: HostState): Promise<boolean> {
		const { instance, launcher } = this.#options;
		const [tables, ...dumps] = await launcher.applyNetwork('', [listTables(), ...dumpHost().slice(0, 1)]);
		const bridge = findBridge(instance, readHostView(dumps));
		return (
			bridge?.index === bridgeIndex &&
			readTableNames(tables?.reply ?? Buffer.alloc(0)).includes(tableName(instance))
		);
	}

	/** Removes bridge and table. Settings of the kernel stay: others may have come to rely on them. */
	async tearDown(): Promise<void> {
		const { instance, launcher } = this.#options;
		const bridge = findBridge(instance, await lookAtHost(launcher));
		const owned = bridge?.alias === bridgeAlias(instance);
		await launcher.applyNetwork('', [
			...(owned ? [removeLink(bridgeName(instance))] : []),
			removeTable(instance),
		]);
	}

	/** Networks given by the node's controller. They hold for the pods to come, and after a restart. */
	async usePodCidr(subnets: readonly Subnet[]): Promise<void> {
		const view = await lookAtHost(this.#options.launcher);
		refuseOverlap(subnets, this.#claims(view));
		await this.#store(subnets);
	}

	async #subnets(
		view: HostView,
		allocations: ReadonlyMap<string, Allocation>,
		ipv6: boolean,
	): Promise<readonly Subnet[]> {
		const claims = this.#claims(view);
		const configured = parseSubnets(this.#options.subnets);
		if (configured.length > 0) {
			refuseOverlap(configured, claims);
			return configured;
		}
		const stored = await this.#stored();
		if (stored.length > 0 && this.#mayKeep(stored, allocations, claims)) return stored;
		const chosen = chooseSubnets(this.#options.instance, await machineId(), claims, ipv6);
		await this.#store(chosen);
		this.#options.log.info('pod networks chosen', { subnets: chosen.map(formatSubnet) });
		return chosen;
	}

	/** A network that living pods use is kept whatever has happened to the host's routes meanwhile. */
	#mayKeep(
		stored: readonly Subnet[],
		allocations: ReadonlyMap<string, Allocation>,
		claims: ReturnType<typeof claimsOf>,
	): boolean {
		try {
			refuseOverlap(stored, claims);
			return true;
		} catch (error) {
			const inUse = subnetsOf(allocations).some((used) =>
				stored.some((own) => formatSubnet(own) === formatSubnet(used)),
			);
			this.#options.log.warn('the pod network of before is used by something else now', {
				error,
				kept: inUse,
			});
			return inUse;
		}
	}

	#claims(view: HostView): ReturnType<typeof claimsOf> {
		return claimsOf(view, findBridge(this.#options.instance, view)?.index);
	}

	/** Told when it begins and when it has changed, not at every look. */
	async #warnOfForeignFirewall(): Promise<void> {
		const chains = (await droppingForwardChains(this.#options.launcher)).join(', ');
		const bridge = bridgeName(this.#options.instance);
		if (chains !== '' && chains !== this.#foreignFirewall)
			this.#options.log.warn(
				`another firewall drops forwarded packets unless it has a rule for them: accept ${bridge} there, or pods reach nothing outside and no host port from outside works`,
				{ chains, bridge },
			);
		this.#foreignFirewall = chains;
	}

	#refuseForeignBridge(view: HostView): void {
		const name = bridgeName(this.#options.instance);
		const link = view.links.find((one) => one.name === name);
		if (link === undefined || link.alias === bridgeAlias(this.#options.instance)) return;
		throw failedPrecondition(
			`A link named ${name} exists that is not ours (${link.kind || 'hardware'}, alias ${JSON.stringify(link.alias)}): ` +
				'remove it, or give this instance another name (instance)',
		);
	}

	get #file(): string {
		return join(this.#options.stateFolder, 'network.json');
	}
	#store(subnets: readonly Subnet[]): Promise<void> {
		return writeFileAtomic(this.#file, JSON.stringify({ version: 1, subnets: subnets.map(formatSubnet) }));
	}
	/** Empty when nothing was chosen yet; a file that cannot be read is as none. */
	async #stored(): Promise<readonly Subnet[]> {
		try {
			const { version, subnets } = JSON.parse(await readFile(this.#file, 'utf8'));
			return version === 1 ? parseSubnets(subnets) : [];
		} catch (error) {
			if (errnoOf(error) !== 'ENOENT')
				this.#options.log.warn(`cannot read ${this.#file}; networks are chosen anew`, { error });
			return [];
		}
	}
}

function refuseMissingIpv6(subnets: readonly Subnet[], ipv6: boolean): void {
	const subnet = subnets.find(({ family }) => family === 6);
	if (subnet !== undefined && !ipv6)
		throw failedPrecondition(
			`The pod network ${formatSubnet(subnet)} cannot be: this kernel has no IPv6. Leave it out of network.subnets`,
		);
}

const distinct = (subnets: readonly Subnet[]): Subnet[] => [
	...new Map(subnets.map((one) => [formatSubnet(one), one])).values(),
];

const subnetsOf = (allocations: ReadonlyMap<string, Allocation>): Subnet[] =>
	distinct([...allocations.values()].flatMap(({ addresses }) => addresses.map(({ subnet }) => subnet)));

const readText = async (path: string): Promise<string> =>
	(await readFile(path, 'utf8').catch(() => '')).trim();
const readSysctl = (name: string): Promise<string> => readText(`/proc/sys/${name}`);
const machineId = (): Promise<string> => readText('/etc/machine-id');

async function readSysctls(view: HostView): Promise<ReadonlyMap<string, string>> {
	const names = ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'].concat(
		view.links.map(({ name }) => `net/ipv6/conf/${name}/accept_ra`),
	);
	return new Map(await Promise.all(names.map(async (name) => [name, await readSysctl(name)] as const)));
}
