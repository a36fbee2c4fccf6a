/** The command line of the soak. */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

export interface SoakOptions {
	/** Pods that live at the same time in the first part. */
	readonly pods: number;
	readonly clients: number;
	/** How long the churn goes on. */
	readonly minutes: number;
	/** Everything that is left to chance comes from it. */
	readonly seed: number;
}

export const USAGE = 'npm run soak -- [--pods N] [--clients N] [--minutes N] [--seed N]';

/** Throws an Error that says what is wrong. */
export function parseOptions(args: readonly string[]): SoakOptions {
	const { values } = parseArgs({
		args: [...args],
		options: {
			pods: { type: 'string', default: '200' },
			clients: { type: 'string', default: '16' },
			minutes: { type: 'string', default: '30' },
			seed: { type: 'string', default: String(randomInt(1, 2 ** 31)) },
		},
	});
	return {
		pods: between(1, 500, '--pods', values.pods),
		clients: between(1, 64, '--clients', values.clients),
		minutes: between(0, 600, '--minutes', values.minutes),
		seed: between(0, 2 ** 32 - 1, '--seed', values.seed),
	};
}

function between(least: number, most: number, option: string, text: string): number {
	const value = Number(text);
	if (text !== '' && value >= least && value <= most && (option === '--minutes' || Number.isInteger(value)))
		return value;
	throw new Error(`${option} ${text}: a number from ${least} to ${most} is wanted`);
}
