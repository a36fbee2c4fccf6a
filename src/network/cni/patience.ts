/** How long the start of the daemon waits for plugins: a node whose plugins hang still has pods to be listed. */
export const START_PATIENCE_MS = 2_000;

/** Waits for `work`, but not for longer than this. False when it is late; it goes on by itself. */
export async function atMost(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
	const { promise: late, resolve } = Promise.withResolvers<false>();
	const timer = setTimeout(() => resolve(false), milliseconds);
	try {
		return await Promise.race([work.then(() => true), late]);
	} finally {
		clearTimeout(timer);
	}
}
