import { failedPrecondition, unimplemented } from '#base/errors.ts';
import { formatSubnet, parseAddress, type Subnet } from '../ip.ts';
import { type HostPort, hostPortsOf, hostPortText } from '../port-mappings.ts';
import type { PortMapping, SandboxNetworkRequest } from '../types.ts';
import { AddressPool } from './address-pool.ts';
import { type Allocation, portsOf } from './allocation.ts';
import { HostPorts } from './host-ports.ts';

/** Who holds which addresses and host ports, in memory. */
export class Ledger {
	readonly #allocations = new Map<string, Allocation>();
	readonly #ports = new HostPorts();
	#pools: readonly AddressPool[] = [];

	/** By sandbox id. */
	get allocations(): ReadonlyMap<string, Allocation> {
		return this.#allocations;
	}

	/** The networks that new sandboxes get addresses of. Those of before keep their addresses. */
	usePools(subnets: readonly Subnet[]): void {
		const known = (subnet: Subnet) =>
			this.#pools.find((pool) => formatSubnet(pool.subnet) === formatSubnet(subnet));
		this.#pools = subnets.map((subnet) => known(subnet) ?? new AddressPool(subnet));
		for (const allocation of this.#allocations.values()) this.#mark(allocation);
	}

	/**
	 * Notes what a living sandbox holds, and answers the mappings whose host port another one holds already. It has
	 * lost those: one port in the table twice would be no network for anybody.
	 */
	adopt(allocation: Allocation): readonly PortMapping[] {
		const [kept, lost] = [[] as PortMapping[], [] as PortMapping[]];
		for (const mapping of allocation.portMappings) {
			const ports = portsOf({ ...allocation, portMappings: [mapping] });
			(this.#ports.adopt(allocation, ports) ? kept : lost).push(mapping);
		}
		this.#allocations.set(allocation.sandboxId, { ...allocation, portMappings: kept });
		this.#mark(allocation);
		return lost;
	}

	/** One address per network and the host ports asked for, all or nothing. */
	allocate({ sandboxId, namespace, name, portMappings }: SandboxNetworkRequest): Allocation {
		if (this.#allocations.has(sandboxId))
			throw failedPrecondition(`Sandbox ${sandboxId} is on the network already`);
		const pod = `${namespace}/${name}`;
		const ports = hostPortsOf(
			portMappings,
			this.#pools.map(({ subnet }) => subnet.family),
		);
		for (const port of ports) refuseUnreachable(port);
		this.#ports.reserve({ sandboxId, pod }, ports);
		const addresses: Allocation['addresses'][number][] = [];
		try {
			for (const pool of this.#pools) addresses.push({ address: pool.allocate(), subnet: pool.subnet });
		} catch (error) {
			this.#release(sandboxId, addresses);
			throw error;
		}
		const allocation = {
			sandboxId,
			pod,
			addresses,
			portMappings: portMappings.filter(({ hostPort }) => hostPort !== 0),
		};
		this.#allocations.set(sandboxId, allocation);
		return allocation;
	}

	/** Takes back what a sandbox holds. One that holds nothing is fine. */
	free(sandboxId: string): void {
		const allocation = this.#allocations.get(sandboxId);
		if (allocation !== undefined) this.#release(sandboxId, allocation.addresses);
	}

	#release(sandboxId: string, addresses: Allocation['addresses']): void {
		this.#allocations.delete(sandboxId);
		this.#ports.release(sandboxId);
		for (const { address } of addresses) for (const pool of this.#pools) pool.release(address);
	}

	#mark({ addresses }: Allocation): void {
		for (const { address } of addresses) for (const pool of this.#pools) pool.adopt(address);
	}
}

const LOOPBACK_6 = parseAddress('::1')?.value;

function refuseUnreachable(port: HostPort): void {
	if (port.family === 6 && port.hostAddress?.value === LOOPBACK_6)
		throw unimplemented(
			`Cannot map host port ${hostPortText(port)}: the kernel routes no packets of ::1 to a pod. Use the host IP 127.0.0.1`,
		);
}
