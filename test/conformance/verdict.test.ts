import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exception } from './exceptions.ts';
import { readSpecs } from './specs.ts';
import { judge } from './verdict.ts';

const it = (text: string, State: string, Message?: string) => ({
	ContainerHierarchyTexts: ['[k8s.io] Group', 'when it rains [Conformance]'],
	LeafNodeText: text,
	LeafNodeType: 'It',
	State,
	RunTime: 1_500_000_000,
	...(Message === undefined ? {} : { Failure: { Message } }),
});
const read = (...reports: object[]) => readSpecs(JSON.stringify([{ SpecReports: reports }]));
const NO_UMBRELLA: Exception = {
	spec: /^Group: when it rains: stays dry$/,
	outcome: 'failed',
	says: /no umbrella/,
	reason: 'there are no umbrellas',
};

test('specs have short names, what was said, and a duration', () => {
	const failed = it(
		'stays dry',
		'panicked',
		'it broke\nrpc error: code = Internal desc = no umbrella\nat x.go:1',
	);
	assert.deepEqual(read(failed, it('gets wet [Slow]', 'passed')), [
		{
			name: 'Group: when it rains: stays dry',
			outcome: 'failed',
			seconds: 1.5,
			says: 'code = Internal desc = no umbrella',
		},
		{ name: 'Group: when it rains: gets wet', outcome: 'passed', seconds: 1.5, says: '' },
	]);
});

test('what the focus left out is no spec; a suite that cannot begin is a failed one', () => {
	const before = {
		...it('', 'failed', 'no socket'),
		LeafNodeType: 'BeforeSuite',
		ContainerHierarchyTexts: null,
	};
	const specs = read(before, it('left out', 'skipped'), it('left', 'skipped', 'no reason to stay'));
	assert.deepEqual(
		specs.map(({ name, outcome }) => [name, outcome]),
		[
			['BeforeSuite', 'failed'],
			['Group: when it rains: left', 'skipped'],
		],
	);
});

test('a failure is accepted for the reason of its exception, and no other', () => {
	const passed = it('gets wet', 'passed');
	const good = judge(read(passed, it('stays dry', 'failed', 'no umbrella')), [NO_UMBRELLA]);
	assert.equal(good.good, true);
	assert.deepEqual(
		good.accepted.map(({ exception }) => exception),
		[NO_UMBRELLA],
	);
	for (const other of [it('stays dry', 'failed', 'no coat'), it('stays dry', 'skipped', 'no umbrella')]) {
		const bad = judge(read(passed, other), [NO_UMBRELLA]);
		assert.equal(bad.good, false);
		assert.equal(bad.unexpected.length, 1);
	}
});

test('an unexplained skip is a failure, and so is a run without a spec', () => {
	assert.equal(judge(read(it('x', 'passed'), it('y', 'skipped', 'not today')), []).good, false);
	assert.equal(judge([], []).good, false);
});

test('an exception that passes is told, and fails nothing', () => {
	const verdict = judge(read(it('stays dry', 'passed')), [NO_UMBRELLA]);
	assert.equal(verdict.good, true);
	assert.deepEqual(
		verdict.surprises.map(({ name }) => name),
		['Group: when it rains: stays dry'],
	);
});
