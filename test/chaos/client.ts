/** A client as a kubelet is one: what a daemon's death cut off it asks for again, and nothing else may fail. */
import type { StatusError } from '#base/errors.ts';
import type { TestDaemon } from '../support/daemon.ts';
import type { Gate } from './gate.ts';

/** A daemon is killed this often in one call at the most; bounds the retries. */
const MOST_TRIES = 40;

export class Client {
	readonly name: string;
	readonly daemon: TestDaemon;
	readonly #gate: Gate;
	/** How often something has been killed so far. */
	readonly #kills: () => number;

	constructor(name: string, daemon: TestDaemon, gate: Gate, kills: () => number) {
		this.name = name;
		this.daemon = daemon;
		this.#gate = gate;
		this.#kills = kills;
	}

	/** Makes the call until it is answered. An error that no kill explains is thrown, with what was asked. */
	async ask<T>(what: string, call: (cri: TestDaemon['cri']) => Promise<T>): Promise<T> {
		for (let tries = 1; ; tries++) {
			let before = this.#kills();
			try {
				return await this.#gate.pass(() => {
					before = this.#kills();
					return call(this.daemon.cri);
				});
			} catch (error) {
				const cut = (error as StatusError).condition === 'UNAVAILABLE' && this.#kills() > before;
				if (!cut || tries === MOST_TRIES)
					throw new Error(`${this.name}: ${what} failed in its ${tries}. attempt`, { cause: error });
			}
		}
	}
}
