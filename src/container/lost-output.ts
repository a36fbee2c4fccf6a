import { open } from 'node:fs/promises';

/** A kubelet rotates logs at 10 MiB; of a larger one the end tells enough. */
const LOOKED_AT_BYTES = 16 * 1024 * 1024;

/** What the shim writes in place of output for which the disk had no room (runtime/native/log.c). */
const TOLD = / stderr F gantry: (\d+) bytes of output were lost here: /g;

/** How many bytes the log says that it lost. undefined when it cannot be read. */
export async function lostOutputBytes(logPath: string): Promise<number | undefined> {
	try {
		await using log = await open(logPath);
		const { size } = await log.stat();
		const begin = Math.max(0, size - LOOKED_AT_BYTES);
		let lost = 0;
		// By lines: no text is longer than an entry.
		for await (const line of log.readLines({ start: begin, encoding: 'latin1' }))
			for (const [, bytes] of line.matchAll(TOLD)) lost += Number(bytes);
		return lost;
	} catch {
		return undefined;
	}
}
