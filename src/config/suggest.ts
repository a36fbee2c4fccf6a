/** ` (did you mean "X"?)` for the known word nearest to `word`, or '' when none is near enough. */
export function suggestion(word: string, known: readonly string[]): string {
	const nearest = known
		.map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
		.sort((a, b) => a.distance - b.distance)[0];
	if (nearest === undefined || nearest.distance > Math.max(2, Math.floor(word.length / 3))) return '';
	return ` (did you mean "${nearest.candidate}"?)`;
}

/** How many letters must be added, dropped or changed to make one word of the other (Levenshtein). */
export function editDistance(a: string, b: string): number {
	let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
	for (let row = 1; row <= a.length; row++) {
		const current = [row];
		for (let column = 1; column <= b.length; column++) {
			const change = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
			current.push(Math.min(change, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
		}
		previous = current;
	}
	return previous[b.length] ?? 0;
}
