/** Kubernetes quantities (`10M`, `1.5Gi`, `1e6`, `500m`). */

const SUFFIX: ReadonlyMap<string, number> = new Map(
	Object.entries({
		n: 1e-9,
		u: 1e-6,
		m: 1e-3,
		'': 1,
		k: 1e3,
		M: 1e6,
		G: 1e9,
		T: 1e12,
		P: 1e15,
		E: 1e18,
		Ki: 2 ** 10,
		Mi: 2 ** 20,
		Gi: 2 ** 30,
		Ti: 2 ** 40,
		Pi: 2 ** 50,
		Ei: 2 ** 60,
	}),
);

/** The number that a quantity means (`500m` is 0.5); undefined when it is none. */
export function parseQuantity(text: string): number | undefined {
	const [, number = '', exponent, suffix = ''] =
		/^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:[eE]([+-]?\d+)|([a-zA-Z]*))$/.exec(text) ?? [];
	const factor = exponent === undefined ? SUFFIX.get(suffix) : 10 ** Number(exponent);
	if (number === '' || factor === undefined) return undefined;
	const value = Number((Number(number) * factor).toPrecision(15));
	return Number.isFinite(value) ? value : undefined;
}
