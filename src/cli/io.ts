/** Where a command writes. Passed in, so that tests see what a user would see. */
export interface Io {
	/** Standard output: results. */
	out(text: string | Uint8Array): void;
	/** Standard error: progress, notes and errors. */
	err(text: string | Uint8Array): void;
	/** Columns of the terminal that standard error goes to; undefined: it is no terminal, so no progress is drawn. */
	readonly columns: number | undefined;
}

export function processIo(): Io {
	return {
		out: (text) => void process.stdout.write(text),
		err: (text) => void process.stderr.write(text),
		columns: process.stderr.isTTY ? process.stderr.columns : undefined,
	};
}

/** Collects everything in memory. */
export function memoryIo(): Io & { readonly stdout: string; readonly stderr: string } {
	const chunks: { out: Buffer[]; err: Buffer[] } = { out: [], err: [] };
	return {
		out: (text) => void chunks.out.push(Buffer.from(text)),
		err: (text) => void chunks.err.push(Buffer.from(text)),
		columns: undefined,
		get stdout() {
			return Buffer.concat(chunks.out).toString();
		},
		get stderr() {
			return Buffer.concat(chunks.err).toString();
		},
	};
}
