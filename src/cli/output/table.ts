/** One column of a table: its heading and what it shows of a row. */
export interface Column<Row> {
	readonly title: string;
	readonly value: (row: Row) => string;
	/** Numbers read better at the right. */
	readonly right?: boolean;
}

/** A plain table, two spaces between the columns, for a terminal or `awk`. Only the headings when there is no row. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
	const cells = [
		columns.map((column) => column.title),
		...rows.map((row) => columns.map((column) => oneLine(column.value(row)))),
	];
	const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
	const lines = cells.map((line) => {
		const padded = line.map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.right ?? false));
		return padded.join('  ').trimEnd();
	});
	return `${lines.join('\n')}\n`;
}

function pad(cell: string, width: number, right: boolean): string {
	return right ? cell.padStart(width) : cell.padEnd(width);
}

/** A value never breaks the table, whatever an image or a manifest put into it. */
function oneLine(cell: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
	return cell.replace(/[\u0000-\u001f\u007f]/g, ' ');
}
