/** The Stream* calls: the lists in pieces, with their filters, from one instant, at the pace of who reads. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ClientCallOptions, createCriClient } from '../../src/server/grpc-client.ts';
import { TestBed } from './harness.ts';

let bed: TestBed;
let pods: string[];
let containers: string[];

/** Together more than one message carries. */
const LARGE = { note: 'x'.repeat(200_000) };

before(async () => {
	bed = await TestBed.start();
	pods = [];
	containers = [];
	for (const color of ['red', 'blue', 'red']) {
		const pod = await bed.runPod({ labels: { color }, annotations: LARGE });
		pods.push(pod);
		const labels = { color };
		containers.push(
			await bed.run(pod, { metadata: { name: 'a' }, labels, annotations: LARGE, command: ['sleep', '1000'] }),
			await bed.create(pod, { metadata: { name: 'b' }, labels, annotations: LARGE }),
		);
	}
});
after(async () => await bed[Symbol.asyncDispose]());

async function pieces<T>(stream: AsyncIterable<T>): Promise<T[]> {
	return await Array.fromAsync(stream);
}

test('StreamPodSandboxes and StreamContainers: what the lists have, in pieces', async () => {
	const sandboxes = await pieces(bed.cri.StreamPodSandboxes());
	assert.ok(sandboxes.length > 1, 'more than one message');
	assert.deepEqual(
		sandboxes.flatMap(({ pod_sandboxes }) => pod_sandboxes),
		(await bed.cri.ListPodSandbox()).items,
	);
	const all = await pieces(bed.cri.StreamContainers());
	assert.ok(all.length > 1, 'more than one message');
	assert.deepEqual(
		all.flatMap((piece) => piece.containers),
		(await bed.cri.ListContainers()).containers,
	);
});

test('the filters of the lists hold for the streams', async () => {
	const color = { label_selector: { color: 'red' } };
	const idsOf = (all: { readonly id: string }[]): string[] => all.map(({ id }) => id).toSorted();
	const red = [pods[0], pods[2]].toSorted();
	assert.deepEqual(
		idsOf(
			(await pieces(bed.cri.StreamPodSandboxes({ filter: color }))).flatMap((piece) => piece.pod_sandboxes),
		),
		red,
	);
	const filter = { ...color, state: { state: 'CONTAINER_CREATED' as const } };
	assert.deepEqual(
		idsOf((await pieces(bed.cri.StreamContainers({ filter }))).flatMap((piece) => piece.containers)),
		[containers[1], containers[5]].toSorted(),
	);
	assert.deepEqual(
		(await pieces(bed.cri.StreamContainerStats({ filter: { pod_sandbox_id: pods[1] ?? '' } })))
			.flatMap((piece) => piece.container_stats)
			.map(({ attributes }) => attributes?.id)
			.toSorted(),
		containers.slice(2, 4).toSorted(),
	);
	assert.deepEqual(
		(await pieces(bed.cri.StreamPodSandboxStats({ filter: color })))
			.flatMap((piece) => piece.pod_sandbox_stats)
			.map(({ attributes }) => attributes?.id)
			.toSorted(),
		red,
	);
	const nothing = { filter: { label_selector: { color: 'green' } } };
	assert.deepEqual(
		await pieces(bed.cri.StreamContainers(nothing)),
		[],
		'no message at all for an empty list',
	);
});

test('StreamImages: all of them, or the one that is asked for', async () => {
	bed.images.add('other', []);
	const tags = async (image: string): Promise<string[]> =>
		(await pieces(bed.cri.StreamImages({ filter: { image: { image } } })))
			.flatMap(({ images }) => images)
			.flatMap(({ repo_tags }) => repo_tags);
	assert.equal((await tags('')).length, (await bed.cri.ListImages()).images.length);
	assert.equal((await tags('other')).length, 1);
	assert.deepEqual(await tags('nosuch'), []);
});

test('a bad filter fails the stream with its reason', async () => {
	const image = { image: 'busybox', runtime_handler: 'nosuch' };
	await assert.rejects(pieces(bed.cri.StreamImages({ filter: { image } })), {
		condition: 'INVALID_ARGUMENT',
		message: /no runtime handler "nosuch"/,
	});
});

test('a stream that nobody reads on holds nobody up, and shows the instant at which it began', async () => {
	const leave = new AbortController();
	const options: ClientCallOptions = { signal: leave.signal };
	using slow = createCriClient(bed.daemon.config.listen);
	const stream = slow.stream('StreamContainers', {}, options)[Symbol.asyncIterator]();
	const first: readonly { readonly id: string }[] = (await stream.next()).value?.containers ?? [];
	const late = await bed.create(pods[0] ?? '', { metadata: { name: 'late' } });
	await bed.cri.RemoveContainer({ container_id: containers[5] ?? '' });
	assert.equal((await bed.cri.ListContainers()).containers.length, 6);
	const ids = first.map(({ id }) => id);
	for await (const piece of { [Symbol.asyncIterator]: () => stream })
		ids.push(...piece.containers.map(({ id }) => id));
	assert.deepEqual(ids.toSorted(), containers.toSorted());
	await bed.cri.RemoveContainer({ container_id: late });
});
