import { join } from 'node:path';
import type { Shim } from '#runtime';

/** Connects to the shim that listens on `socketPath`. */
export type ConnectShim = (socketPath: string) => Promise<Shim>;

/** The control connections to the shims, one per sandbox that has a living one. */
export class Shims {
	readonly connect: ConnectShim;
	readonly #folder: string;
	readonly #connections = new Map<string, Shim>();

	/** `stateFolder`: the daemon's --state. */
	constructor(stateFolder: string, connect: ConnectShim) {
		this.#folder = join(stateFolder, 'shims');
		this.connect = connect;
	}

	get folder(): string {
		return this.#folder;
	}

	/** A socket path has at most 108 bytes, so it carries only the beginning of the id. */
	socketPath(sandboxId: string): string {
		return join(this.#folder, `${sandboxId.slice(0, 20)}.sock`);
	}

	get(sandboxId: string): Shim | undefined {
		return this.#connections.get(sandboxId);
	}

	set(sandboxId: string, shim: Shim): void {
		this.#connections.set(sandboxId, shim);
	}

	/** Forgets the connection, if it is (still) this one. */
	delete(sandboxId: string, shim: Shim): void {
		if (this.#connections.get(sandboxId) === shim) this.#connections.delete(sandboxId);
	}

	/** Closes every connection; the shims live on. */
	disconnectAll(): void {
		const all = [...this.#connections.values()];
		this.#connections.clear();
		for (const shim of all) shim.disconnect();
	}
}
