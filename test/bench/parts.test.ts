import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from './endpoint.ts';
import { Samples } from './figures.ts';
import type { UnaryCri } from './lean-client.ts';
import { parseOptions } from './options.ts';
import type { Bench, Part } from './part.ts';
import { drawFailures, runParts } from './parts.ts';
import { isForTheRecord } from './record.ts';

const figure = { part: 'p', unit: 'ms', better: 'less' } as const;
const addsFigure =
	(name: string): Part =>
	async ({ samples }) =>
		samples.add({ ...figure, name }, 'gantry', 1);
const fails: Part = async () => {
	throw new AggregateError([new Error('pod 7 does not start')], '1 of 4 clients failed', {
		cause: 'no room',
	});
};

/** One endpoint with these pods. */
function benchWith(pods: string[], args: readonly string[] = []): Bench {
	const cri = {
		ListPodSandbox: async () => ({ items: pods.map((id) => ({ id })) }),
		StopPodSandbox: async () => ({}),
		RemovePodSandbox: async ({ pod_sandbox_id }: { pod_sandbox_id: string }) =>
			pods.splice(pods.indexOf(pod_sandbox_id), 1),
	} as unknown as UnaryCri;
	const endpoints = [{ name: 'gantry', cri, cgroupParent: '/nowhere-bench' } as Endpoint];
	return {
		endpoints,
		options: parseOptions(args, ['a', 'b', 'c']),
		samples: new Samples(),
	} as unknown as Bench;
}

test('a part that fails is named with its causes, its pods are removed, and the others are measured', async () => {
	const pods = ['one', 'two'];
	const bench = benchWith(pods);
	const podsThen: number[] = [];
	const failures = await runParts(
		{
			a: addsFigure('before'),
			b: fails,
			c: async (given) => {
				podsThen.push(pods.length);
				await addsFigure('after')(given);
			},
		},
		bench,
	);
	assert.deepEqual(podsThen, [0]);
	assert.deepEqual(
		bench.samples.figures().map(({ name }) => name),
		['before', 'after'],
	);
	assert.equal(
		drawFailures(failures),
		'FAILED: b: 1 of 4 clients failed\n  because: pod 7 does not start\n  because: no room',
	);
});

test('only the parts that are asked for run, and nothing fails then', async () => {
	const bench = benchWith([], ['--part', 'c']);
	assert.deepEqual(await runParts({ b: fails, c: addsFigure('wanted') }, bench), []);
	assert.equal(bench.samples.figures().length, 1);
});

test('a run of which a part failed is not kept as the record', () => {
	const options = parseOptions(['--record'], ['a']);
	assert.equal(isForTheRecord(options, []), true);
	assert.equal(isForTheRecord(options, [{ part: 'a', error: new Error('broken') }]), false);
});
