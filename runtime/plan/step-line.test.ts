import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numberedLines, parseNumberedLines, parseStepLine, stepLine } from './step-line.ts';

test('a plan as lines, and back again', () => {
	const labels = ['mount proc at /proc', 'execute sh -c "a\n 2  b"', 'wait for start'];
	const lines = numberedLines(labels, new Map([[0, 24_400]]));
	assert.deepEqual(lines, [
		'1  mount proc at /proc  24 µs',
		'2  execute sh -c "a  2  b"',
		'3  wait for start',
	]);
	assert.deepEqual(parseNumberedLines(lines), [
		{ label: 'mount proc at /proc', elapsedUs: 24 },
		{ label: 'execute sh -c "a  2  b"', elapsedUs: undefined },
		{ label: 'wait for start', elapsedUs: undefined },
	]);
	assert.deepEqual(parseStepLine(stepLine('pod   eth0 up', 5_000_000)), {
		label: 'pod   eth0 up',
		elapsedUs: 5000,
	});
});
