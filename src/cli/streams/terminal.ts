import type { Input, Output } from '../io.ts';

/** These end us without a word, and would leave the terminal as it is. */
const DEADLY = ['SIGHUP', 'SIGQUIT'] as const;

/**
 * Every key goes to the container as it is, Ctrl-C too. Disposed, and at whatever end of this process that can be
 * seen, the terminal is as before.
 */
export function rawMode(stdin: Input): Disposable {
	const restore = () => void stdin.setRawMode?.(false);
	const die = (signal: NodeJS.Signals) => {
		end();
		process.kill(process.pid, signal);
	};
	const end = () => {
		restore();
		process.off('exit', restore);
		for (const signal of DEADLY) process.off(signal, die);
	};
	process.on('exit', restore);
	for (const signal of DEADLY) process.on(signal, die);
	stdin.setRawMode?.(true);
	return { [Symbol.dispose]: end };
}

export interface Size {
	readonly columns: number;
	readonly rows: number;
}

/** Tells the size of the terminal, now and whenever it changes. */
export function watchSize(stdout: Output, tell: (size: Size) => void): Disposable {
	const look = () => {
		const { columns, rows } = stdout;
		if (columns !== undefined && rows !== undefined) tell({ columns, rows });
	};
	look();
	stdout.on('resize', look);
	return { [Symbol.dispose]: () => void stdout.off('resize', look) };
}
