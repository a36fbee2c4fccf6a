import type { Io } from '../io.ts';
import { bytes } from './format.ts';

/** A line that is redrawn on a terminal, and nothing at all where standard error is none. */
export interface Progress extends Disposable {
	show(text: string): void;
	/** Takes the line away; what follows begins at its place. */
	clear(): void;
}

export function createProgress(io: Io): Progress {
	let shown = false;
	const clear = () => {
		if (shown) io.err('\r\x1b[K');
		shown = false;
	};
	return {
		show: (text) => {
			if (io.columns === undefined) return;
			io.err(`\r\x1b[K${text.slice(0, io.columns - 1)}`);
			shown = true;
		},
		clear,
		[Symbol.dispose]: clear,
	};
}

/** `[########------------]  41%  1.2 MiB / 2.9 MiB`; only what has come so far when the total is not known. */
export function bar(done: number, total: number, width = 24): string {
	if (total <= 0) return bytes(done);
	const share = Math.min(1, done / total);
	const filled = Math.round(share * width);
	const percent = `${Math.round(share * 100)}%`.padStart(4);
	return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${percent}  ${bytes(done)} / ${bytes(total)}`;
}
