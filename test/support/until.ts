import assert from 'node:assert/strict';

const PAUSE_MS = 10;
/** A machine that is emulated (hack/test-v2) takes its time. */
const PATIENCE_MS = Number(process.env.TEST_CALL_TIMEOUT_MS ?? 10_000);

/** Looks every 10 ms whether it holds; fails after ten seconds. `what` is a sentence. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
	for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
		if (await holds()) return;
		await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
	}
	assert.fail(`it never came true: ${what}`);
}
