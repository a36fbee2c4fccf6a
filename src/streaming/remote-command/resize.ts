/** Longest size that is taken: `{"Width":65535,"Height":65535}` with some spaces. */
const MAX_SIZE_CHARACTERS = 256;

export interface TerminalSize {
	readonly columns: number;
	readonly rows: number;
}

/** Sizes of a terminal as clients send them, one JSON object after the other. What follows one that is none is dropped. */
export async function* terminalSizes(input: AsyncIterable<Buffer>): AsyncGenerator<TerminalSize> {
	let text = '';
	for await (const chunk of input) {
		text += chunk.toString('utf8');
		for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
			const size = sizeOf(text.slice(0, end + 1));
			if (size === undefined) return;
			yield size;
			text = text.slice(end + 1);
		}
		if (text.length > MAX_SIZE_CHARACTERS) return;
	}
}

/** undefined when it is no size. */
function sizeOf(text: string): TerminalSize | undefined {
	if (text.length > MAX_SIZE_CHARACTERS) return undefined;
	try {
		const { Width: columns, Height: rows } = JSON.parse(text) as { Width?: unknown; Height?: unknown };
		return isLength(columns) && isLength(rows) ? { columns, rows } : undefined;
	} catch {
		return undefined;
	}
}

/** As struct winsize holds it. */
const isLength = (value: unknown): value is number =>
	Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff;
