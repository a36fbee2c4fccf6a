/**
 * A reporter for node's test runner: one line a file, every failure with its error, every skipped test with its
 * reason (nothing is left out quietly), and a closing line `N passed, N failed, N skipped`.
 */
import { relative } from 'node:path';
import { inspect } from 'node:util';

interface TestData {
	readonly name: string;
	readonly nesting: number;
	readonly file?: string;
	readonly skip?: string | boolean;
	readonly details?: { readonly type?: string; readonly error?: Error };
}
interface TestEvent {
	readonly type: string;
	readonly data: TestData;
}

interface Count {
	passed: number;
	failed: number;
	skipped: number;
}

const line = ({ passed, failed, skipped }: Count): string =>
	`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
const reasonOf = (skip: string | boolean): string => (typeof skip === 'string' ? skip : 'no reason given');

/** What a person needs of an error: the failed test's own one, without the runner's wrapping. */
function words(error: Error | undefined): string {
	const own = error?.cause ?? error;
	return (own instanceof Error ? (own.stack ?? own.message) : inspect(own)).replace(/^/gm, '    ');
}

const isOfSubtests = (error: Error | undefined): boolean =>
	(error as { failureType?: string } | undefined)?.failureType === 'subtestsFailed';

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
	const total: Count = { passed: 0, failed: 0, skipped: 0 };
	const files = new Map<string, Count>();
	for await (const { type, data } of source) {
		if (type !== 'test:pass' && type !== 'test:fail') continue;
		// A suite fails with its tests, which are told; of its own it has only hooks.
		if (data.details?.type === 'suite' && (type === 'test:pass' || isOfSubtests(data.details.error)))
			continue;
		const file = relative(process.cwd(), data.file ?? '');
		const count = files.get(file) ?? { passed: 0, failed: 0, skipped: 0 };
		files.set(file, count);
		if (data.skip !== undefined && data.skip !== false) {
			count.skipped++;
			total.skipped++;
			yield `SKIPPED ${file}: ${data.name}: ${reasonOf(data.skip)}\n`;
		} else if (type === 'test:pass') {
			count.passed++;
			total.passed++;
		} else {
			count.failed++;
			total.failed++;
			yield `FAILED ${file}: ${data.name}\n${words(data.details?.error)}\n`;
		}
	}
	for (const [file, count] of files) yield `${file}: ${line(count)}\n`;
	yield `${line(total)}\n`;
}
