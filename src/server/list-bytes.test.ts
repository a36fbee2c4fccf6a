import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RpcName } from '#cri-api';
import { methodOf } from './grpc-services.ts';
import { type ListWriter, listWriter } from './list-bytes.ts';

function writerOf(name: RpcName, serialize: (message: object) => Buffer): ListWriter {
	return listWriter(name, serialize) ?? assert.fail(`${name} is no list`);
}

const LISTS = [
	['ListContainers', 'containers'],
	['ListPodSandbox', 'items'],
	['StreamContainers', 'containers'],
	['StreamPodSandboxes', 'pod_sandboxes'],
] as const;

const entries = Array.from({ length: 5 }, (_, index) => ({
	id: `id-${index}`,
	metadata: { name: `name ${index}`, attempt: index },
	labels: { app: 'ü', empty: '' },
	created_at: 2n ** 62n,
}));

for (const [name, field] of LISTS)
	test(`${name}: entries written one by one are the list, and are written once`, async () => {
		const { responseSerialize, responseDeserialize } = methodOf(name);
		let written = 0;
		const writer = writerOf(name, (message) => {
			written++;
			return responseSerialize(message);
		});
		const whole = { [field]: entries };
		await writer.prepare(whole);
		for (const _ of ['first', 'again'])
			assert.deepEqual(
				responseDeserialize(writer.serialize(whole)),
				responseDeserialize(responseSerialize(whole)),
			);
		assert.equal(written, entries.length);
		assert.equal(writer.serialize({ [field]: [] }).length, 0);
	});

test('the chunks of a list have every entry once, in order, and are small', async () => {
	const { responseSerialize } = methodOf('StreamImages');
	const writer = writerOf('StreamImages', responseSerialize);
	const images = Array.from({ length: 100 }, (_, index) => ({
		id: `${index}`,
		repo_tags: ['x'.repeat(index === 50 ? 1 << 20 : 20_000)],
	}));
	const chunks: { images: typeof images }[] = [];
	for await (const chunk of writer.chunks({ images })) chunks.push(chunk as { images: typeof images });
	assert.deepEqual(
		chunks.flatMap((chunk) => chunk.images),
		images,
	);
	const large = chunks.filter((chunk) => writer.serialize(chunk).length > 256 * 1024);
	assert.deepEqual(
		large.map((chunk) => chunk.images.map(({ id }) => id)),
		[['50']],
		'only an entry that is large by itself makes a large message',
	);
	assert.ok(chunks.length < 15, 'and no smaller than need be');
});

test('other answers are written as they are', () => {
	assert.equal(listWriter('Version', methodOf('Version').responseSerialize), undefined);
});
