import { invalidArgument } from '#base/errors.ts';
import type { Io } from '../io.ts';

/** -i and -t together want a terminal to be joined. INVALID_ARGUMENT when standard input is none. */
export function checkTerminal(
	io: Io,
	{ stdin, tty }: { readonly stdin: boolean; readonly tty: boolean },
): void {
	if (stdin && tty && !io.streams.stdin.isTTY)
		throw invalidArgument('-t joins your terminal, and standard input is none: leave out -t');
}
