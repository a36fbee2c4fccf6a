/**
 * Room ends in the middle of a call, one page or inode later at each try: whichever file it is that does not fit,
 * the call says so and takes everything back, until there is enough.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Scarcity, SmallDisk } from './small-disk.ts';
import { exhausted, Stage } from './stage.ts';

/** More pages and inodes than any call needs. */
const ENOUGH = 100;

/** Tries the call with more and more room until it succeeds. */
async function withMoreAndMore<T>(
	stage: Stage,
	[disk, scarcity]: readonly [SmallDisk, Scarcity],
	call: () => Promise<T>,
): Promise<T> {
	const before = await stage.everything();
	for (let room = 0; room < ENOUGH; room++) {
		disk.leave(room, scarcity);
		const attempt = call();
		const failed = await attempt.then(
			() => false,
			() => true,
		);
		if (!failed) {
			assert.ok(room > 0, 'it needs no room at all: this test shows nothing');
			return await attempt;
		}
		await exhausted(attempt, disk.path);
		assert.deepEqual(await stage.everything(), before, `with room for ${room} it left something`);
	}
	return assert.fail(`room for ${ENOUGH} is not enough`);
}

for (const which of ['state', 'root'] as const)
	for (const scarcity of ['space', 'inodes'] as const) {
		test(`${scarcity} of the ${which} folder ends in the middle of a call`, async () => {
			await using stage = await Stage.set();
			const scarce = [stage.disks[which], scarcity] as const;
			const pod = await withMoreAndMore(stage, scarce, () => stage.runPod('pod'));
			const config = { metadata: { name: 'container', attempt: 0 }, log_path: 'log' };
			const container_id = await withMoreAndMore(stage, scarce, () => stage.create(pod, config));
			await stage.cri.StartContainer({ container_id });
			assert.equal(await stage.sh(container_id, 'echo alive'), 'alive');
			if (which === 'state') return;
			const image = await stage.push(10_000);
			await withMoreAndMore(stage, scarce, () => stage.cri.PullImage({ image: { image } }));
		});
	}
