/** A CRI client that notes how long every call took, and whether a call failed that should not. */
import type { TestCri } from '../support/cri-client.ts';

/** Milliseconds of each call, by the name of the RPC. */
export class CallTimes {
	readonly #times = new Map<string, number[]>();

	add(name: string, ms: number): void {
		const times = this.#times.get(name);
		if (times === undefined) this.#times.set(name, [ms]);
		else times.push(ms);
	}

	get all(): ReadonlyMap<string, readonly number[]> {
		return this.#times;
	}
}

/** The same client; calls that succeed are timed. */
export function timed(cri: TestCri, times: CallTimes): TestCri {
	return new Proxy(cri, {
		get(target, name: string) {
			const method = Reflect.get(target, name) as unknown;
			if (typeof method !== 'function' || name === 'GetContainerEvents') return method;
			return async (...args: unknown[]) => {
				const start = performance.now();
				const answer: unknown = await (method as (...args: unknown[]) => Promise<unknown>)(...args);
				times.add(name, performance.now() - start);
				return answer;
			};
		},
	});
}
