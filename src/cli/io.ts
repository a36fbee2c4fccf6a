import { PassThrough, type Readable, Writable } from 'node:stream';

/** What is `isTTY` is a terminal, and has the rest. */
export type Input = Readable & {
	readonly isTTY?: boolean;
	setRawMode?(raw: boolean): unknown;
};

/** What is `isTTY` is a terminal: it has a size, and tells of a new one by the event `resize`. */
export type Output = Writable & {
	readonly isTTY?: boolean;
	readonly columns?: number;
	readonly rows?: number;
};

export interface StandardStreams {
	readonly stdin: Input;
	readonly stdout: Output;
	readonly stderr: Output;
}

/** Where a command writes. Passed in, so that tests see what a user would see. */
export interface Io {
	/** Standard output: results. */
	out(text: string | Uint8Array): void;
	/** Standard error: progress, notes and errors. */
	err(text: string | Uint8Array): void;
	/** Columns of the terminal that standard error goes to; undefined: it is no terminal, so no progress is drawn. */
	readonly columns: number | undefined;
	/** For what reads, or must wait until there is room. */
	readonly streams: StandardStreams;
}

export function processIo(): Io {
	return {
		out: (text) => void process.stdout.write(text),
		err: (text) => void process.stderr.write(text),
		columns: process.stderr.isTTY ? process.stderr.columns : undefined,
		// Each is made when it is asked for: standard input is not touched by commands that do not read it.
		streams: process,
	};
}

/** Collects everything in memory. Standard input is what is written to `streams.stdin`. */
export function memoryIo(): Io & {
	readonly stdout: string;
	readonly stderr: string;
	readonly streams: StandardStreams & { readonly stdin: PassThrough };
} {
	const out = collector();
	const err = collector();
	return {
		out: (text) => void out.write(text),
		err: (text) => void err.write(text),
		columns: undefined,
		streams: { stdin: new PassThrough(), stdout: out, stderr: err },
		get stdout() {
			return out.text();
		},
		get stderr() {
			return err.text();
		},
	};
}

function collector(): Writable & { text(): string } {
	const chunks: Buffer[] = [];
	const writable = new Writable({
		write(chunk: Uint8Array, _encoding, done) {
			chunks.push(Buffer.from(chunk));
			done();
		},
	});
	return Object.assign(writable, { text: () => Buffer.concat(chunks).toString() });
}
