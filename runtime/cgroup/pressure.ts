import type { Pressure, PressureLine } from '../types.ts';
import { readText } from './files.ts';

const NONE: PressureLine = { avg10: 0, avg60: 0, avg300: 0, totalUs: 0n };

/** A PSI file; undefined when the kernel keeps none. cpu has no `full` line before 5.13. */
export function parsePressure(text: string): Pressure | undefined {
	const lines = new Map(text.split('\n').flatMap((line) => parseLine(line)));
	const some = lines.get('some');
	return some && { some, full: lines.get('full') ?? NONE };
}

function parseLine(line: string): [string, PressureLine][] {
	const match = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/.exec(line);
	if (match === null) return [];
	const [, kind = '', avg10, avg60, avg300, total = '0'] = match;
	return [
		[kind, { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300), totalUs: BigInt(total) }],
	];
}

/** `{ pressure }` to spread into stats, or nothing. */
export function readPressure(path: string): { pressure?: Pressure } {
	const pressure = parsePressure(readText(path));
	return pressure === undefined ? {} : { pressure };
}
