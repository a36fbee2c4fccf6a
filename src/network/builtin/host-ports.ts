import { failedPrecondition, invalidArgument } from '#base/errors.ts';
import { shortId } from '#base/ids.ts';
import { collide, type HostPort, hostPortText } from '../port-mappings.ts';

interface Holder {
	readonly sandboxId: string;
	/** `namespace/name`. */
	readonly pod: string;
}

/** Which sandbox holds which host port of the node. */
export class HostPorts {
	readonly #held: { readonly port: HostPort; readonly holder: Holder }[] = [];

	/** Takes all ports or none. FAILED_PRECONDITION naming the holder when one is taken. */
	reserve(holder: Holder, ports: readonly HostPort[]): void {
		for (const [index, port] of ports.entries()) {
			const twin = ports.slice(0, index).find((other) => collide(port, other));
			if (twin)
				throw invalidArgument(`Cannot map host port ${hostPortText(port)}: the sandbox asks for it twice`);
			const taken = this.#held.find((entry) => collide(port, entry.port));
			if (taken) throw conflict(port, taken.port, taken.holder);
		}
		this.#hold(holder, ports);
	}

	/** Notes the ports of a living sandbox, unless another one holds one of them. */
	adopt(holder: Holder, ports: readonly HostPort[]): boolean {
		const isTaken = ports.some((port) => this.#held.some((entry) => collide(port, entry.port)));
		if (!isTaken) this.#hold(holder, ports);
		return !isTaken;
	}

	#hold(holder: Holder, ports: readonly HostPort[]): void {
		this.#held.push(...ports.map((port) => ({ port, holder })));
	}

	release(sandboxId: string): void {
		for (let index = this.#held.length - 1; index >= 0; index--)
			if (this.#held[index]?.holder.sandboxId === sandboxId) this.#held.splice(index, 1);
	}
}

function conflict(wanted: HostPort, held: HostPort, { sandboxId, pod }: Holder) {
	return failedPrecondition(
		`Cannot map host port ${hostPortText(wanted)}: sandbox ${shortId(sandboxId)} (${pod}) holds ${hostPortText(held)}. ` +
			'Remove that sandbox or choose another port',
	);
}
