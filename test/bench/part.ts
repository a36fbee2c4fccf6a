/** What every part of the benchmark is given. */
import type { Registry } from '../support/registry.ts';
import type { Endpoint } from './endpoint.ts';
import type { Samples } from './figures.ts';
import type { BenchOptions } from './options.ts';

export interface Bench {
	readonly options: BenchOptions;
	readonly endpoints: readonly Endpoint[];
	readonly registry: Registry;
	/** A busybox that every endpoint has pulled. */
	readonly image: string;
	readonly samples: Samples;
}

export type Part = (bench: Bench) => Promise<void>;

/** The endpoints, beginning with another one in every round, so that none always comes first. */
export function inTurn(endpoints: readonly Endpoint[], round: number): readonly Endpoint[] {
	const first = round % endpoints.length;
	return [...endpoints.slice(first), ...endpoints.slice(0, first)];
}
