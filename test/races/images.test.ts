/** Calls on one image, and on what needs it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Stage } from './stage.ts';

describe('calls on one image', () => {
	let stage: Stage;
	let pod: string;
	before(async () => {
		stage = await Stage.open();
		pod = await stage.pod();
	});
	after(() => stage[Symbol.asyncDispose]());

	const pull = () => stage.cri.PullImage({ image: { image: stage.image } });
	const removeImage = () => stage.cri.RemoveImage({ image: { image: stage.image } });
	const isHere = async (): Promise<boolean> =>
		(await stage.cri.ImageStatus({ image: { image: stage.image } })).image !== null;

	it('remove the image, create a container: it has its files or was refused', async () => {
		await stage.rounds(async () => {
			await pull();
			let made: string | undefined;
			const create = async () => {
				made = await stage.create(pod);
			};
			return {
				contenders: [
					[removeImage, 'FAILED_PRECONDITION'],
					[create, 'NOT_FOUND'],
				],
				check: async ([removed]) => {
					assert.equal(made === undefined, !(await isHere()), 'an image is here as long as it is needed');
					assert.equal(removed, made === undefined ? 'OK' : 'FAILED_PRECONDITION');
					if (made === undefined) return;
					await stage.cri.StartContainer({ container_id: made });
					const cmd = ['sh', '-c', 'echo files'];
					const { stdout } = await stage.cri.ExecSync({ container_id: made, cmd, timeout: 10n });
					assert.equal(Buffer.from(stdout).toString(), 'files\n');
					await stage.cri.RemoveContainer({ container_id: made });
				},
			};
		});
	});

	it('remove the image, remove a container that needs it: the container is gone', async () => {
		await stage.rounds(async () => {
			await pull();
			const container_id = await stage.create(pod);
			return {
				contenders: [
					[removeImage, 'FAILED_PRECONDITION'],
					[() => stage.cri.RemoveContainer({ container_id })],
				],
				check: async ([removed]) => assert.equal(await isHere(), removed !== 'OK'),
			};
		});
	});

	it('remove the image, pull it: it is whole or gone', async () => {
		await stage.rounds(async () => {
			await pull();
			return {
				contenders: [[removeImage], [pull]],
				check: async () => {
					if (!(await isHere())) return;
					const container_id = await stage.run(pod);
					await stage.cri.RemoveContainer({ container_id });
				},
			};
		});
	});

	it('pull, pull, pull: it is here once', async () => {
		await stage.rounds(async () => {
			await removeImage();
			return {
				contenders: [[pull], [pull], [pull]],
				check: async () => assert.equal((await stage.cri.ListImages()).images.length, 1),
			};
		});
	});

	it('a client that leaves its pull, another pull: the image is here', async () => {
		await stage.rounds(async () => {
			await removeImage();
			const leave = () => stage.cri.PullImage({ image: { image: stage.image } }, { timeoutMs: 10 });
			return {
				contenders: [[leave, 'DEADLINE_EXCEEDED', 'CANCELLED'], [pull]],
				check: async () => assert.ok(await isHere()),
			};
		});
	});

	it('remove the image twice: it is gone', async () => {
		await stage.rounds(async () => {
			await pull();
			return {
				contenders: [[removeImage], [removeImage]],
				check: async () => assert.equal(await isHere(), false),
			};
		});
		await pull();
	});
});
