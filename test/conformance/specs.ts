/** critest's JSON report, as far as we read it: one Spec for each `It` that was chosen to run. */
export interface Spec {
	/** Without the constant beginning and the marks in brackets. */
	readonly name: string;
	readonly outcome: 'passed' | 'failed' | 'skipped';
	readonly seconds: number;
	/** What the runtime answered, if the failure is that; else the first lines that say something. */
	readonly says: string;
}

interface SpecReport {
	readonly ContainerHierarchyTexts: readonly string[] | null;
	readonly LeafNodeText: string;
	readonly LeafNodeType: string;
	readonly State: string;
	readonly RunTime: number;
	readonly Failure?: { readonly Message?: string };
}
type SuiteReport = { readonly SpecReports: readonly SpecReport[] | null };

const PASSED = 'passed';
const SKIPPED: readonly string[] = ['skipped', 'pending'];

/** The specs of a report; a failure before or after the specs counts as a spec of its own. */
export function readSpecs(report: string): Spec[] {
	const suites = JSON.parse(report) as readonly SuiteReport[];
	return suites
		.flatMap(({ SpecReports }) => SpecReports ?? [])
		.filter(isOfInterest)
		.map((spec) => ({
			name: nameOf(spec),
			outcome: spec.State === PASSED ? 'passed' : SKIPPED.includes(spec.State) ? 'skipped' : 'failed',
			seconds: spec.RunTime / 1e9,
			says: saidBy(spec),
		}));
}

/** What the focus leaves out is skipped, too, but without a word. */
function isOfInterest({ LeafNodeType, State, Failure }: SpecReport): boolean {
	if (LeafNodeType !== 'It') return State !== PASSED;
	return State !== 'skipped' || Boolean(Failure?.Message);
}

function nameOf({ ContainerHierarchyTexts, LeafNodeText, LeafNodeType }: SpecReport): string {
	const texts = [...(ContainerHierarchyTexts ?? []), LeafNodeText].map((text) =>
		text.replace(/\[[^\]]*\]/g, '').trim(),
	);
	return texts.filter((text) => text !== '').join(': ') || LeafNodeType;
}

function saidBy({ Failure }: SpecReport): string {
	const message = Failure?.Message ?? '';
	const answer = /rpc error: (code = \w+ desc = .+)/.exec(message)?.[1];
	const lines = message
		.split('\n')
		.map((line) => line.trim())
		.filter((line) => line !== '');
	return answer ?? lines.slice(0, 6).join(' ');
}
