import type { FileOp } from '../types.ts';

/** Carries out operations in order; called again only after the one before has settled. */
export type ApplyOps = (ops: readonly FileOp[]) => Promise<void>;

/** Large enough that a message is worth its way, small enough that encoding one does not hold up the main thread. */
const BATCH = 64;

/** Gathers operations. One batch is on its way while the next one fills. */
export class OpBatch {
	readonly #apply: ApplyOps;
	#ops: FileOp[] = [];
	#underWay: Promise<void> = Promise.resolve();

	constructor(apply: ApplyOps) {
		this.#apply = apply;
	}

	async add(op: FileOp): Promise<void> {
		this.#ops.push(op);
		if (this.#ops.length >= BATCH) await this.#send();
	}

	/** Returns when everything added so far is done. */
	async flush(): Promise<void> {
		if (this.#ops.length > 0) await this.#send();
		await this.#underWay;
	}

	async #send(): Promise<void> {
		await this.#underWay;
		const ops = this.#ops;
		this.#ops = [];
		this.#underWay = this.#apply(ops);
		// Whoever waits next hears of a failure; until then nobody does, which must not end the thread.
		this.#underWay.catch(() => {});
	}
}
