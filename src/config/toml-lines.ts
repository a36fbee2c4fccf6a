/** Finds the lines of keys in a TOML file, for messages: the parser gives values without their place. */

const HEADER = /^\s*\[([^[\]=]+)\]\s*(?:#.*)?$/;
const ASSIGNMENT =
	/^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=/;
const KEY_PART = /"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)/g;

/** One-based line on which `path` is set; for a key inside an inline table the line of that table. */
export function lineOf(toml: string, path: readonly string[]): number {
	let table: readonly string[] = [];
	let best = { line: 1, depth: 0 };
	for (const [index, line] of toml.split('\n').entries()) {
		const header = HEADER.exec(line)?.[1];
		if (header !== undefined) table = keyParts(header);
		const assigned = header === undefined ? ASSIGNMENT.exec(line)?.[1] : undefined;
		const here = assigned === undefined ? table : [...table, ...keyParts(assigned)];
		const isNew = header !== undefined || assigned !== undefined;
		if (isNew && here.length > best.depth && isPrefix(here, path))
			best = { line: index + 1, depth: here.length };
	}
	return best.line;
}

function keyParts(dotted: string): string[] {
	return [...dotted.matchAll(KEY_PART)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function isPrefix(prefix: readonly string[], path: readonly string[]): boolean {
	return prefix.every((part, index) => part === path[index]);
}
