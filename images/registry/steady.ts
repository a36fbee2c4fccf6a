import { SourceFailure } from './failure.ts';

/** The slowest line that is worth waiting for. Who sends less holds a pull for ever, and never stalls. */
const LEAST_BYTES_PER_SECOND = 1024;

/** The chunks, as long as they come at a pace: of the time that we wait for them, not of the time that we use them. */
export async function* steady(
	chunks: AsyncIterable<Buffer>,
	windowMs: number,
): AsyncGenerator<Buffer, void, void> {
	const least = (LEAST_BYTES_PER_SECOND * windowMs) / 1000;
	let window = { waitedMs: 0, bytes: 0 };
	let since = performance.now();
	for await (const chunk of chunks) {
		window.waitedMs += performance.now() - since;
		window.bytes += chunk.length;
		yield chunk;
		if (window.waitedMs >= windowMs) {
			if (window.bytes < least) throw tooSlow(window);
			window = { waitedMs: 0, bytes: 0 };
		}
		since = performance.now();
	}
}

const tooSlow = ({ bytes, waitedMs }: { bytes: number; waitedMs: number }) =>
	new SourceFailure('UNAVAILABLE', `stalled: only ${bytes} bytes in ${(waitedMs / 1000).toFixed(1)} s`, {
		again: true,
	});
