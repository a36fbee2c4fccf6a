import { type Condition, errnoOf, messageOf, StatusError } from '#base/errors.ts';
import { ConfigError } from '../config/config-error.ts';
import { EXIT } from '../exit-codes.ts';

const BY_CONDITION: Partial<Record<Condition, number>> = {
	INVALID_ARGUMENT: EXIT.usage,
	NOT_FOUND: EXIT.notFound,
	UNAVAILABLE: EXIT.unavailable,
};

/** `gantry exec` passes on the exit code of the command it ran instead, as a shell does. */
export function exitCodeOf(error: unknown): number {
	if (error instanceof ConfigError) return EXIT.config;
	return error instanceof StatusError ? (BY_CONDITION[error.condition] ?? EXIT.failure) : EXIT.failure;
}

/** What a shell says of a program that it cannot start: 127 there is none, 126 it cannot be executed. undefined: no such error. */
export function exitCodeOfProgramError(error: unknown): number | undefined {
	const why = /: exec: "(?:[^"\\]|\\.)*": (.*)/s.exec(messageOf(error))?.[1];
	if (why === undefined) return undefined;
	return /not found in \$PATH|no such file/.test(why) ? 127 : 126;
}

/** One sentence for people, or one JSON object for scripts. A bug keeps its stack; what the machine refused is none. */
export function describeError(error: unknown, json: boolean): string {
	const known = error instanceof StatusError;
	if (json) {
		const condition = known ? error.condition : 'INTERNAL';
		return `${JSON.stringify({ error: { condition, message: messageOf(error) } })}\n`;
	}
	if (known) return `gantry: ${error.message}\n`;
	const errno = errnoOf(error);
	if (errno !== undefined && /^E[A-Z]+$/.test(errno)) {
		const advice = errno === 'EACCES' || errno === 'EPERM' ? '; run the command as root' : '';
		return `gantry: ${messageOf(error)}${advice}\n`;
	}
	return `gantry: a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
}
