/** The command line of the benchmark. */
import { parseArgs } from 'node:util';

export interface BenchOptions {
	/** Measure Debian's containerd in the same run. */
	readonly peer: boolean;
	/** The most pods that live at the same time in the part `population`. */
	readonly pods: number;
	/** The most clients at once. */
	readonly clients: number;
	/** Print the result as JSON; the tables go to standard error. */
	readonly json: boolean;
	/** Few rounds and small images: whether it works, not how fast. */
	readonly short: boolean;
	/** Keep the result as the record, in the repository. */
	readonly record: boolean;
	/** Names of the parts to run; all when empty. */
	readonly parts: readonly string[];
}

export const USAGE =
	'npm run bench -- [--peer containerd] [--pods N] [--clients N] [--json] [--short] [--record] [--part NAME]…';
const MOST_PODS = 500;
const MOST_CLIENTS = 64;

/** Throws an Error that says what is wrong. */
export function parseOptions(args: readonly string[], knownParts: readonly string[]): BenchOptions {
	const { values } = parseArgs({
		args: [...args],
		options: {
			peer: { type: 'string' },
			pods: { type: 'string' },
			clients: { type: 'string' },
			json: { type: 'boolean', default: false },
			short: { type: 'boolean', default: false },
			record: { type: 'boolean', default: false },
			part: { type: 'string', multiple: true, default: [] },
		},
	});
	if (values.peer !== undefined && values.peer !== 'containerd')
		throw new Error(`--peer ${values.peer}: only containerd is known`);
	const unknown = values.part.find((part) => !knownParts.includes(part));
	if (unknown !== undefined) throw new Error(`--part ${unknown}: known are ${knownParts.join(', ')}`);
	if (values.record && (values.short || values.part.length > 0))
		throw new Error('--record wants a whole run, without --short and --part');
	return {
		peer: values.peer !== undefined,
		pods: count('--pods', values.pods, values.short ? 5 : 300, MOST_PODS),
		clients: count('--clients', values.clients, values.short ? 4 : 16, MOST_CLIENTS),
		json: values.json,
		short: values.short,
		record: values.record,
		parts: values.part,
	};
}

function count(option: string, text: string | undefined, fallback: number, most: number): number {
	const value = text === undefined ? fallback : Number(text);
	if (Number.isInteger(value) && value >= 1 && value <= most) return value;
	throw new Error(`${option} ${text}: a number from 1 to ${most} is wanted`);
}
