import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { describeOp } from '../plan/describe.ts';
import { numberedLines } from '../plan/step-line.ts';
import type { Op, Struct } from '../shim/codec.ts';

/** plan.txt of a bundle: the launch plan for people, with the time that each step took. Nobody waits for it to be written. */
export class PlanFile {
	readonly #path: string;
	#labels: readonly string[];
	readonly #elapsedNs = new Map<number, number>();
	readonly #log: Log;
	#written: Promise<void> = Promise.resolve();

	constructor(bundle: string, plan: readonly Op[], log: Log) {
		this.#path = join(bundle, 'plan.txt');
		this.#labels = plan.map(describeOp);
		this.#log = log;
	}

	/** Settles when what has been added is written. Does not reject. */
	get written(): Promise<void> {
		return this.#written;
	}

	/** What is known so far; `isLast`: nothing is added any more. */
	add(timings: readonly Struct<'timing'>[], isLast = false): void {
		for (const { step, elapsed_ns } of timings) this.#elapsedNs.set(step, Number(elapsed_ns));
		const text = `${numberedLines(this.#labels, this.#elapsedNs).join('\n')}\n`;
		this.#written = this.#written.then(() => this.#write(text));
		if (isLast) this.#forget();
	}

	/** Lines of some 70 steps for each container that runs would be megabytes. */
	#forget(): void {
		this.#labels = [];
		this.#elapsedNs.clear();
	}

	async #write(text: string): Promise<void> {
		try {
			await writeFile(this.#path, text, { mode: 0o600 });
		} catch (error) {
			this.#log.debug('cannot write plan.txt', { path: this.#path, error: messageOf(error) });
		}
	}
}
