import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StopDeadlines } from './stop-deadlines.ts';

const forever = new Promise<void>(() => {});
const soon = (ms: number): number => performance.now() + ms;

test('a wait ends when the container does', async () => {
	const stops = new StopDeadlines();
	const ended = Promise.withResolvers<void>();
	const wait = stops.wait('a', soon(1e9), ended.promise);
	assert.ok(stops.has('a'));
	ended.resolve();
	await wait;
	assert.ok(!stops.has('a'));
});

test('a second stop brings the deadline of the first forward', async () => {
	const stops = new StopDeadlines();
	const first = stops.wait('a', soon(1e9), forever);
	await Promise.all([first, stops.wait('a', soon(1), forever)]);
	assert.ok(!stops.has('a'));
});

test('a second stop does not put the deadline back', async () => {
	const stops = new StopDeadlines();
	const first = stops.wait('a', soon(1), forever);
	await Promise.all([first, stops.wait('a', soon(1e9), forever)]);
});

test('a wait is ended from outside; one that is not there is no matter', async () => {
	const stops = new StopDeadlines();
	stops.expire('a');
	const wait = stops.wait('a', soon(1e12), forever);
	stops.expire('a');
	await wait;
});
