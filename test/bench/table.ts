/** Figures as text for people. */
import { type Figure, ratio } from './figures.ts';

/** One block for each part: p50 and p99 of every endpoint, and how many times better than the peer. */
export function drawTable(
	figures: readonly Figure[],
	endpoints: readonly string[],
	peer: string | undefined,
): string {
	const others = endpoints.filter((name) => name !== peer);
	const head = (part: string): string[] => [
		part,
		...endpoints.flatMap((name) => [`${name} p50`, 'p99']),
		...(peer === undefined ? [] : others.map((name) => `${name}: times`)),
	];
	const row = (figure: Figure): string[] => [
		`${figure.name} (${figure.unit})`,
		...endpoints.flatMap((name) => [show(figure.values[name]?.p50), show(figure.values[name]?.p99)]),
		...(peer === undefined ? [] : others.map((name) => show(ratio(figure, name, peer)))),
	];
	const parts = [...new Set(figures.map((figure) => figure.part))];
	return parts
		.map((part) => align([head(part), ...figures.filter((figure) => figure.part === part).map(row)]))
		.join('\n\n');
}

/** Three digits that matter. */
export function show(value: number | undefined): string {
	if (value === undefined || Number.isNaN(value)) return '-';
	return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Columns below each other. */
export function align(rows: readonly (readonly string[])[]): string {
	const widths = (rows[0] ?? []).map((_, column) =>
		Math.max(...rows.map((row) => (row[column] ?? '').length)),
	);
	const pad = (cell: string, column: number): string =>
		column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
	return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}
