import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { describeOp } from '../plan/describe.ts';
import { numberedLines } from '../plan/step-line.ts';
import type { Op, Struct } from '../shim/codec.ts';

/** A pod that is being started needs the processor; whoever reads the plan does so later. */
const DELAY_MS = 100;

/** plan.txt of a bundle: the launch plan for people, with the time that each step took. Written when there is time. */
export class PlanFile {
	readonly #path: string;
	/** Dropped once all is written: the plans of all containers that run would be megabytes. */
	#plan: readonly Op[];
	readonly #elapsedNs = new Map<number, number>();
	readonly #log: Log;
	#timer: NodeJS.Timeout | undefined;
	#isLast = false;

	constructor(bundle: string, plan: readonly Op[], log: Log) {
		this.#path = join(bundle, 'plan.txt');
		this.#plan = plan;
		this.#log = log;
	}

	/** What is known so far; `isLast`: nothing is added any more. */
	add(timings: readonly Struct<'timing'>[], isLast = false): void {
		for (const { step, elapsed_ns } of timings) this.#elapsedNs.set(step, Number(elapsed_ns));
		this.#isLast ||= isLast;
		this.#timer ??= setTimeout(() => this.flush(), DELAY_MS).unref();
	}

	/** Writes what is not written yet, at once. */
	flush(): void {
		if (this.#timer === undefined) return;
		this.drop();
		try {
			const lines = numberedLines(this.#plan.map(describeOp), this.#elapsedNs);
			writeFileSync(this.#path, `${lines.join('\n')}\n`, { mode: 0o600 });
		} catch (error) {
			this.#log.debug('cannot write plan.txt', { path: this.#path, error: messageOf(error) });
		}
		if (this.#isLast) {
			this.#plan = [];
			this.#elapsedNs.clear();
		}
	}

	/** Nothing more is written. */
	drop(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}
}
