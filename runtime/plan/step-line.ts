/** A step of a plan as a line for people, and back again. */

export interface TimedStep {
	readonly label: string;
	/** Microseconds; undefined when it is not known. */
	readonly elapsedUs: number | undefined;
}

/** `mount proc at /proc  24 µs`. */
export function stepLine(label: string, elapsedNs: number | undefined): string {
	const oneLine = label.replaceAll(/\p{Cc}+/gu, ' ');
	return elapsedNs === undefined ? oneLine : `${oneLine}  ${Math.round(elapsedNs / 1000)} µs`;
}

/** What `stepLine` wrote. */
export function parseStepLine(line: string): TimedStep {
	const [, label, elapsed] = /^(.*) {2}(\d+) µs$/.exec(line) ?? [];
	return label === undefined ? { label: line, elapsedUs: undefined } : { label, elapsedUs: Number(elapsed) };
}

/** A plan with a number before each step. */
export function numberedLines(
	labels: readonly string[],
	elapsedNs: ReadonlyMap<number, number> = new Map(),
): string[] {
	const width = String(labels.length).length;
	return labels.map(
		(label, step) => `${String(step + 1).padStart(width)}  ${stepLine(label, elapsedNs.get(step))}`,
	);
}

/** The steps of what `numberedLines` wrote. */
export function parseNumberedLines(lines: readonly string[]): TimedStep[] {
	return lines.map((line) => parseStepLine(line.replace(/^ *\d+ {2}/, '')));
}
