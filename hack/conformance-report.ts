/** Prints critest's JSON report as a table: node hack/conformance-report.ts REPORT. Exits with 1 when a spec failed. */
import { readFileSync } from 'node:fs';

interface Spec {
	readonly ContainerHierarchyTexts: readonly string[] | null;
	readonly LeafNodeText: string;
	readonly LeafNodeType: string;
	readonly State: string;
	readonly RunTime: number;
	readonly Failure?: { readonly Message?: string };
}

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: conformance-report.ts REPORT');
const suites = JSON.parse(readFileSync(file, 'utf8')) as { SpecReports: Spec[] }[];
const specs = suites.flatMap((suite) => suite.SpecReports).filter((spec) => spec.LeafNodeType === 'It');
const chosen = specs.filter((spec) => spec.State !== 'skipped' || spec.Failure?.Message);
const inState = (...states: readonly string[]) => chosen.filter((spec) => states.includes(spec.State));
const failed = inState('failed', 'panicked', 'timedout', 'interrupted', 'aborted');

/** Without the constant beginning and the marks in brackets. */
function nameOf(spec: Spec): string {
	const texts = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].map((text) =>
		text.replace(/\[[^\]]*\]/g, '').trim(),
	);
	return texts.filter((text) => text !== '').join(': ');
}

/** What the runtime answered, if the failure is that; else the first lines that say something. */
function reasonOf(spec: Spec): string {
	const message = spec.Failure?.Message ?? '';
	const answer = /rpc error: (code = \w+ desc = .+)/.exec(message)?.[1];
	const lines = message
		.split('\n')
		.map((line) => line.trim())
		.filter((line) => line !== '');
	return (answer ?? lines.slice(0, 3).join(' ')).slice(0, 300);
}

for (const spec of failed) console.log(`FAILED   ${nameOf(spec)}\n         ${reasonOf(spec)}`);
for (const spec of inState('skipped', 'pending'))
	console.log(`skipped  ${nameOf(spec)}\n         ${reasonOf(spec)}`);
for (const spec of inState('passed'))
	console.log(`passed   ${nameOf(spec)} (${(spec.RunTime / 1e9).toFixed(1)} s)`);
console.log(
	`\n${inState('passed').length} passed, ${failed.length} failed, ${inState('skipped', 'pending').length} skipped`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
