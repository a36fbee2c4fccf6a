/** A container that counts, so that its log shows whether anything of it was lost. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

/** Prints the numbers from 1 on: up to `last`, then it ends with `exitCode`; or for ever, one in ten milliseconds. */
export function countingCommand(last?: number, exitCode = 0): string[] {
	const script =
		last === undefined
			? 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done'
			: `i=0; while [ $i -lt ${last} ]; do i=$((i+1)); echo $i; done; exit ${exitCode}`;
	return ['sh', '-c', script];
}

/** Fails unless the log, in as many files as it was rotated to, holds the numbers from 1 on without a gap. Answers the last one. */
export function assertCounted(logPath: string | readonly string[]): number {
	const lines = [logPath]
		.flat()
		.map((path) => readFileSync(path, 'utf8'))
		.join('')
		.split('\n');
	// Of a container that runs, the last line may be on its way.
	const numbers = lines.slice(0, -1).map((line) => Number(line.split(' ')[3]));
	const gap = numbers.findIndex((number, index) => number !== index + 1);
	assert.equal(gap, -1, `line ${gap + 1} of ${logPath} is ${lines[gap]}`);
	return numbers.length;
}
