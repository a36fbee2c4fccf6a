import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, ratio, Samples } from './figures.ts';
import { drawGoals } from './goals.ts';
import { drawPicture } from './picture.ts';
import { type BenchRecord, drawComparison } from './record.ts';
import { drawTable } from './table.ts';

const ENDPOINTS = ['gantry', 'containerd'];

function figuresOf(own: readonly number[], peer: readonly number[]): Figure[] {
	const samples = new Samples();
	const figure = { part: 'calls, one client', name: 'pod ready', unit: 'ms', better: 'less' } as const;
	for (const value of own) samples.add(figure, 'gantry', value);
	for (const value of peer) samples.add(figure, 'containerd', value);
	return samples.figures();
}

const machine = {
	cpu: 'A & B',
	cpus: 2,
	memoryGib: 4,
	kernel: '6.1',
	cgroup: 'v2',
	architecture: 'x64',
	node: '26.0.0',
	load: 0.5,
} as const;
const options = { peer: true, pods: 5, clients: 4, json: false, short: true, record: false, parts: [] };
const recordOf = (figures: readonly Figure[]): BenchRecord => ({
	date: '2024-01-31',
	machine,
	versions: { gantry: 'gantry 1', containerd: 'containerd 1' },
	options,
	figures,
});

test('medians, 99th percentiles and the ratio are those of the samples', () => {
	const [figure] = figuresOf([30, 10, 20], [200, 100, 400, 300]);
	assert.ok(figure);
	assert.deepEqual(figure.values.gantry, { p50: 20, p99: 30, n: 3 });
	assert.deepEqual(figure.values.containerd, { p50: 200, p99: 400, n: 4 });
	assert.equal(ratio(figure, 'gantry', 'containerd'), 10);
	assert.equal(ratio(figure, 'gantry', 'nobody'), undefined);
});

test('where more is better, the ratio is the other way round', () => {
	const values = { gantry: { p50: 30, p99: 30, n: 1 }, containerd: { p50: 10, p99: 10, n: 1 } };
	const figure: Figure = { part: 'logs', name: 'lines', unit: 'MB/s', better: 'more', values };
	assert.equal(ratio(figure, 'gantry', 'containerd'), 3);
});

test('the table has a row for each figure, and nothing to compare without a peer', () => {
	const figures = figuresOf([10], [100]);
	assert.match(
		drawTable(figures, ENDPOINTS, 'containerd'),
		/^pod ready \(ms\) +10\.0 +10\.0 +100 +100 +10\.0$/m,
	);
	assert.match(drawTable(figures, ['gantry'], undefined), /^pod ready \(ms\) +10\.0 +10\.0$/m);
});

test('a goal is reached by the median, and goals that were not measured are not told of', () => {
	assert.match(
		drawGoals(figuresOf([10], [100]), ENDPOINTS, 'containerd'),
		/pod ready +≥ 10 × +10\.0 +reached/,
	);
	assert.match(
		drawGoals(figuresOf([11], [100]), ENDPOINTS, 'containerd'),
		/pod ready +≥ 10 × +9\.09 +missed/,
	);
	assert.equal(drawGoals([], ENDPOINTS, 'containerd'), '');
});

test('a run is told beside the record, figure by figure', () => {
	const said = drawComparison(recordOf(figuresOf([20], [100])), figuresOf([10], [100]), ENDPOINTS);
	assert.match(said, /pod ready \(ms\) +20\.0 +10\.0 +2\.00 +100 +100 +1\.00$/m);
	assert.doesNotMatch(drawComparison(recordOf([]), figuresOf([10], [100]), ENDPOINTS), /pod ready/);
});

test('the picture has a bar for each endpoint, as long as its median, and nothing from elsewhere', () => {
	const picture = drawPicture(recordOf(figuresOf([10], [100])), ENDPOINTS);
	const bars = [...picture.matchAll(/<rect [^>]*width="([\d.]+)" height="11"/g)].map((match) =>
		Number(match[1]),
	);
	assert.equal((bars.at(-1) ?? 0) / (bars.at(-2) ?? 1), 10);
	assert.match(picture, /A &amp; B/);
	assert.doesNotMatch(picture.replace('http://www.w3.org/2000/svg', ''), /https?:|<image|<script|@import/);
});
