/** How much is written. Each level includes the ones before it. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a log line carries beside its message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A JSON-lines logger. `child` carries fields (an id) once for all lines that follow. */
export interface Log {
	error(message: string, fields?: LogFields): void;
	warn(message: string, fields?: LogFields): void;
	info(message: string, fields?: LogFields): void;
	debug(message: string, fields?: LogFields): void;
	trace(message: string, fields?: LogFields): void;
	child(fields: LogFields): Log;
}

/** Takes one finished line, with its newline. */
export type LogSink = (line: string) => void;

interface Shared {
	level: LogLevel;
	readonly sink: LogSink;
}

class JsonLog implements Log {
	readonly #shared: Shared;
	readonly #fields: LogFields;

	constructor(shared: Shared, fields: LogFields) {
		this.#shared = shared;
		this.#fields = fields;
	}

	error(message: string, fields?: LogFields): void {
		this.#write('error', message, fields);
	}
	warn(message: string, fields?: LogFields): void {
		this.#write('warn', message, fields);
	}
	info(message: string, fields?: LogFields): void {
		this.#write('info', message, fields);
	}
	debug(message: string, fields?: LogFields): void {
		this.#write('debug', message, fields);
	}
	trace(message: string, fields?: LogFields): void {
		this.#write('trace', message, fields);
	}
	child(fields: LogFields): Log {
		return new JsonLog(this.#shared, { ...this.#fields, ...fields });
	}

	#write(level: LogLevel, message: string, fields?: LogFields): void {
		if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(this.#shared.level)) return;
		const entry = { time: new Date().toISOString(), level, msg: message, ...this.#fields, ...fields };
		this.#shared.sink(`${JSON.stringify(entry, plainValue)}\n`);
	}
}

/** JSON has no bigint and shows an Error as {}. */
function plainValue(_key: string, value: unknown): unknown {
	if (typeof value === 'bigint') return value.toString();
	if (value instanceof Error) return value.stack ?? value.message;
	return value;
}

/** A logger whose lines go to `sink` (default: standard error). `setLevel` acts on all children. */
export function createLog(
	level: LogLevel,
	sink: LogSink = (line) => process.stderr.write(line),
): Log & { setLevel(level: LogLevel): void } {
	const shared: Shared = { level, sink };
	return Object.assign(new JsonLog(shared, {}), {
		setLevel: (next: LogLevel) => {
			shared.level = next;
		},
	});
}

/** A logger that writes nothing, for tests and short-lived commands. */
export const silentLog: Log = createLog('error', () => {});
