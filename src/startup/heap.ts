/** What the daemon says to V8 about its memory. */
import { setFlagsFromString } from 'node:v8';

/**
 * From now on garbage is collected when the heap is about a fifth larger than what was in use, not up to four times as
 * large, as on machines with much memory; that of the image workers, too. Not on the command line: code that was compiled with other flags is not used, neither
 * Node's own nor ours of the last start.
 */
export function collectGarbageEarly(): void {
	setFlagsFromString('--heap-growing-percent=20');
}
