import assert from 'node:assert/strict';
import type { Client } from './client.ts';

/** Pulls an image, sees that it is there, removes it, sees that it is gone. */
export async function liveImage(client: Client, reference: string): Promise<void> {
	const image = { image: reference };
	await client.ask('PullImage', (cri) => cri.PullImage({ image }));
	await client.ask('ImageStatus', async (cri) => {
		assert.notEqual((await cri.ImageStatus({ image })).image, null, `${reference} was pulled`);
	});
	await client.ask('RemoveImage', (cri) => cri.RemoveImage({ image }));
	await client.ask('ImageStatus', async (cri) => {
		assert.equal((await cri.ImageStatus({ image })).image, null, `${reference} was removed`);
	});
}
