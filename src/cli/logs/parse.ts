/** The CRI log format: `2026-01-02T03:04:05.123456789Z stdout F text`; P marks a line that goes on in the next entry. */

export interface LogEntry {
	readonly time: string;
	readonly stream: 'stdout' | 'stderr';
	/** The line goes on in the next entry of the same stream. */
	readonly partial: boolean;
	readonly text: Buffer;
}

export interface LogLine {
	/** Time of its first entry. */
	readonly time: string;
	readonly stream: 'stdout' | 'stderr';
	readonly text: Buffer;
	/** False when the process ended, or has not written on, before the end of the line. */
	readonly whole: boolean;
}

const SPACE = 0x20;
const NEWLINE = 0x0a;

/** One entry without its newline; undefined when it is none. */
export function parseEntry(entry: Buffer): LogEntry | undefined {
	const timeEnd = entry.indexOf(SPACE);
	const streamEnd = entry.indexOf(SPACE, timeEnd + 1);
	const tagEnd = entry.indexOf(SPACE, streamEnd + 1);
	if (timeEnd < 1 || streamEnd < 0 || tagEnd < 0) return undefined;
	const stream = entry.toString('latin1', timeEnd + 1, streamEnd);
	const tag = entry.toString('latin1', streamEnd + 1, tagEnd).split(':')[0];
	if ((stream !== 'stdout' && stream !== 'stderr') || (tag !== 'P' && tag !== 'F')) return undefined;
	return {
		time: entry.toString('latin1', 0, timeEnd),
		stream,
		partial: tag === 'P',
		text: entry.subarray(tagEnd + 1),
	};
}

/** Turns bytes of a log file, in any pieces, into whole lines. */
export class LogJoiner {
	#rest: Buffer = Buffer.alloc(0);
	readonly #open = new Map<LogEntry['stream'], { time: string; parts: Buffer[] }>();

	push(data: Buffer): LogLine[] {
		const bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
		const lines: LogLine[] = [];
		let start = 0;
		for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
			const line = this.#join(bytes.subarray(start, end));
			if (line !== undefined) lines.push(line);
			start = end + 1;
		}
		this.#rest = bytes.subarray(start);
		return lines;
	}

	/** What is left when no more will come: lines that never ended. */
	end(): LogLine[] {
		const left = [...this.#open].map(([stream, { time, parts }]) => ({
			time,
			stream,
			text: Buffer.concat(parts),
			whole: false,
		}));
		this.#open.clear();
		return left;
	}

	#join(bytes: Buffer): LogLine | undefined {
		const entry = parseEntry(bytes);
		if (entry === undefined) return undefined;
		const open = this.#open.get(entry.stream) ?? { time: entry.time, parts: [] };
		open.parts.push(entry.text);
		if (entry.partial) {
			this.#open.set(entry.stream, open);
			return undefined;
		}
		this.#open.delete(entry.stream);
		return { time: open.time, stream: entry.stream, text: Buffer.concat(open.parts), whole: true };
	}
}
