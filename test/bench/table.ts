/** Figures as text for people. */
import { type Figure, KERNEL, ratio } from './figures.ts';

/**
 * One block for each part: p50 and p99 of every endpoint that has figures in it, how many times better than the peer
 * each is, and what the kernel alone takes (p50) where that was measured.
 */
export function drawTable(
	figures: readonly Figure[],
	endpoints: readonly string[],
	peer: string | undefined,
): string {
	const parts = [...new Set(figures.map((figure) => figure.part))];
	return parts
		.map((part) =>
			drawPart(
				part,
				figures.filter((figure) => figure.part === part),
				endpoints,
				peer,
			),
		)
		.join('\n\n');
}

function drawPart(
	part: string,
	figures: readonly Figure[],
	endpoints: readonly string[],
	peer: string | undefined,
): string {
	const isMeasured = (name: string): boolean => figures.some(({ values }) => name in values);
	const measured = endpoints.filter(isMeasured);
	const compared = peer !== undefined && isMeasured(peer) ? measured.filter((name) => name !== peer) : [];
	const kernel = isMeasured(KERNEL) ? [KERNEL] : [];
	const head = [
		part,
		...measured.flatMap((name) => [`${name} p50`, 'p99']),
		...compared.map((name) => `${name}: times`),
		...kernel.map((name) => `${name} p50`),
	];
	const rows = figures.map((figure) => [
		`${figure.name} (${figure.unit})`,
		...measured.flatMap((name) => [show(figure.values[name]?.p50), show(figure.values[name]?.p99)]),
		...compared.map((name) => show(ratio(figure, name, peer ?? ''))),
		...kernel.map((name) => show(figure.values[name]?.p50)),
	]);
	return align([head, ...rows]);
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
