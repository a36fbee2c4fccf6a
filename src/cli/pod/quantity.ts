import { invalidArgument } from '#base/errors.ts';

const FACTORS: Readonly<Record<string, number>> = {
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
};

/** A Kubernetes quantity (`500m`, `64Mi`, `1e3`) as a number. `path` names the field in the error. */
export function quantity(text: string | number, path: string): number {
	const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(String(text).trim());
	const factor = match === null ? undefined : FACTORS[match[2] ?? ''];
	if (match === null || factor === undefined)
		throw invalidArgument(`${path}: ${text} is no quantity; write it like 500m or 64Mi`);
	const value = Number(match[1]) * factor;
	if (value < 0) throw invalidArgument(`${path}: ${text} is below zero`);
	return value;
}
