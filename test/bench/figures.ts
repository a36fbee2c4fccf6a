/** Samples of a run, and the figures made of them. */

/** Stands beside the endpoints where the bare system calls were measured. */
export const KERNEL = 'kernel alone';

export interface Summary {
	readonly p50: number;
	readonly p99: number;
	/** How many samples. */
	readonly n: number;
}

export interface Figure {
	readonly part: string;
	readonly name: string;
	readonly unit: string;
	readonly better: 'less' | 'more';
	/** By endpoint, or KERNEL. */
	readonly values: Readonly<Record<string, Summary>>;
}

/** Collects samples of figures, in the order in which figures first appear. */
export class Samples {
	readonly #figures = new Map<string, { figure: Omit<Figure, 'values'>; samples: Map<string, number[]> }>();

	add(figure: Omit<Figure, 'values'>, endpoint: string, value: number): void {
		const key = `${figure.part}\n${figure.name}`;
		const entry = this.#figures.get(key) ?? { figure, samples: new Map<string, number[]>() };
		this.#figures.set(key, entry);
		const samples = entry.samples.get(endpoint);
		if (samples === undefined) entry.samples.set(endpoint, [value]);
		else samples.push(value);
	}

	figures(): Figure[] {
		return [...this.#figures.values()].map(({ figure, samples }) => ({
			...figure,
			values: Object.fromEntries([...samples].map(([endpoint, values]) => [endpoint, summarize(values)])),
		}));
	}
}

/** Median and 99th percentile by nearest rank. `values` must not be empty. */
export function summarize(values: readonly number[]): Summary {
	const sorted = values.toSorted((a, b) => a - b);
	const at = (share: number): number =>
		sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
	return { p50: at(0.5), p99: at(0.99), n: sorted.length };
}

/** How many times better `name` is than the peer by medians; undefined when one was not measured or is zero. */
export function ratio(figure: Figure, name: string, peer: string): number | undefined {
	const [own, other] = [figure.values[name]?.p50, figure.values[peer]?.p50];
	if (!own || !other) return undefined;
	return figure.better === 'less' ? other / own : own / other;
}
