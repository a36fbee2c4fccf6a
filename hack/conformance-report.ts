/** Prints critest's JSON report as a table: node hack/conformance-report.ts REPORT. Exits with 1 unless the run is good. */
import { readFileSync } from 'node:fs';
import { EXCEPTIONS } from '../test/conformance/exceptions.ts';
import { readSpecs } from '../test/conformance/specs.ts';
import { judge } from '../test/conformance/verdict.ts';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: conformance-report.ts REPORT');
const { passed, accepted, unexpected, surprises, good } = judge(
	readSpecs(readFileSync(file, 'utf8')),
	EXCEPTIONS,
);

for (const { name, seconds } of passed) console.log(`passed   ${name} (${seconds.toFixed(1)} s)`);
for (const { spec, exception } of accepted)
	console.log(`${spec.outcome.padEnd(8)} ${spec.name}\n         accepted: ${exception.reason}`);
for (const { name } of surprises)
	console.log(`PASSED   ${name}\n         though exceptions.ts says that it cannot be had everywhere`);
for (const { name, outcome, says } of unexpected)
	console.log(`${outcome.toUpperCase().padEnd(8)} ${name}\n         ${says.slice(0, 600)}`);

const count = (outcome: string) =>
	[...accepted.map(({ spec }) => spec), ...unexpected].filter((spec) => spec.outcome === outcome).length;
console.log(
	`\n${passed.length} passed, ${count('failed')} failed, ${count('skipped')} skipped; ${unexpected.length} of them unexpected${surprises.length === 0 ? '' : `, ${surprises.length} passed in spite of an exception`}`,
);
process.exitCode = good ? 0 : 1;
