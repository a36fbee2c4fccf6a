import { resourceExhausted } from '#base/errors.ts';
import { type Address, addressAt, contains, formatSubnet, type Subnet, sizeOf } from '../ip.ts';

/** 0 is the network, 1 the gateway. */
const FIRST = 2n;

/**
 * The pod addresses of one network, in memory: who holds what is told by the living sandboxes. The network's own
 * address, the gateway and (IPv4) the broadcast address are never given. Addresses go round, so that a freed one
 * is not given again while others still remember it.
 */
export class AddressPool {
	readonly subnet: Subnet;
	readonly #last: bigint;
	readonly #used = new Set<bigint>();
	#next = FIRST;

	constructor(subnet: Subnet) {
		this.subnet = subnet;
		this.#last = sizeOf(subnet) - (subnet.family === 4 ? 2n : 1n);
	}

	/** How many addresses are held. */
	get used(): number {
		return this.#used.size;
	}

	/** A free address. RESOURCE_EXHAUSTED, naming the network and what to do, when there is none. */
	allocate(): Address {
		if (BigInt(this.#used.size) > this.#last - FIRST) throw this.#exhausted();
		while (this.#used.has(this.#next)) this.#advance();
		const offset = this.#next;
		this.#used.add(offset);
		this.#advance();
		return addressAt(this.subnet, offset);
	}

	/** Marks an address as held by a living sandbox. False when it lies outside the network. */
	adopt(address: Address): boolean {
		if (!contains(this.subnet, address)) return false;
		this.#used.add(address.value - this.subnet.base);
		return true;
	}

	/** Gives an address back. One that is free or foreign is fine. */
	release(address: Address): void {
		if (contains(this.subnet, address)) this.#used.delete(address.value - this.subnet.base);
	}

	#advance(): void {
		this.#next = this.#next >= this.#last ? FIRST : this.#next + 1n;
	}

	#exhausted() {
		return resourceExhausted(
			`No address is free in ${formatSubnet(this.subnet)}: all ${this.#used.size} are held by sandboxes. ` +
				'Remove sandboxes, or give a wider network in network.subnets and restart',
		);
	}
}
