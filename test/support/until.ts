import assert from 'node:assert/strict';

/** Looks every 10 ms whether it holds; fails after ten seconds. `what` is a sentence. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
	for (let tries = 0; tries < 1000; tries++) {
		if (await holds()) return;
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	assert.fail(`it never came true: ${what}`);
}
