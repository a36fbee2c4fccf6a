/** What a run prints and keeps. */
import { drawGoals } from './goals.ts';
import { drawFailures, type Failure } from './parts.ts';
import { drawPicture } from './picture.ts';
import {
	type BenchRecord,
	describeMachine,
	drawComparison,
	isForTheRecord,
	keepRecord,
	lastRecord,
} from './record.ts';
import { drawTable } from './table.ts';

/**
 * Prints the tables and what failed, or with `--json` the result, and the others to standard error. Writes the record
 * when asked to, unless something failed.
 */
export function report(result: BenchRecord, failures: readonly Failure[]): void {
	const { options, figures, versions } = result;
	const endpoints = Object.keys(versions);
	const peer = endpoints.find((name) => name === 'containerd');
	const blocks = [
		describeMachine(result),
		drawTable(figures, endpoints, peer),
		...besideRecord(result, endpoints),
		drawGoals(figures, endpoints, peer),
	];
	const tables = blocks.filter((block) => block !== '').join('\n\n');
	if (options.json) console.error(tables);
	console.log(options.json ? JSON.stringify(result, undefined, '\t') : tables);
	if (failures.length > 0) console.error(`\n${drawFailures(failures)}`);
	if (isForTheRecord(options, failures)) keepRecord(result, drawPicture(result, endpoints));
}

/** A short run has nothing to compare: its rounds are too few. */
function besideRecord({ options, figures }: BenchRecord, endpoints: readonly string[]): string[] {
	const record = lastRecord();
	if (record === undefined) return ['There is no record to compare with.'];
	const compared = endpoints.filter((name) => name in record.versions);
	const comparison = drawComparison(record, figures, compared);
	const caution = options.short ? ['A short run says whether it works, not how fast.'] : [];
	return [`The record is of ${describeMachine(record)}`, ...caution, comparison];
}
