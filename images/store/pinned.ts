/** A predicate for names that match one of the patterns: exact, or with `*` for any run of characters. */
export function pinnedBy(patterns: readonly string[]): (names: readonly string[]) => boolean {
	const expressions = patterns.map(
		(pattern) => new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`, 's'),
	);
	return (names) => names.some((name) => expressions.some((expression) => expression.test(name)));
}

const escaped = (text: string) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
