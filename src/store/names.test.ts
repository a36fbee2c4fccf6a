import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Names } from './names.ts';

const never = new AbortController().signal;

test('calls with one name share one making and its id', async () => {
	const names = new Names('sandbox');
	const made = Promise.withResolvers<void>();
	let makings = 0;
	const make = () => {
		makings += 1;
		return made.promise;
	};
	const calls = [names.claim('a', never, make), names.claim('a', never, make)];
	made.resolve();
	const [one, other] = await Promise.all(calls);
	assert.equal(one, other);
	assert.equal(makings, 1);
	assert.equal(names.idOf('a'), one);
});

test('a name that is taken is ALREADY_EXISTS with the id, until it is released by that id', async () => {
	const names = new Names('sandbox');
	const id = await names.claim('a', never, async () => {});
	await assert.rejects(
		names.claim('a', never, async () => {}),
		{ condition: 'ALREADY_EXISTS', message: new RegExp(id) },
	);
	names.release('a', 'another');
	await assert.rejects(
		names.claim('a', never, async () => {}),
		{ condition: 'ALREADY_EXISTS' },
	);
	names.release('a', id);
	assert.notEqual(await names.claim('a', never, async () => {}), id);
});

test('a making that fails fails every caller and frees the name', async () => {
	const names = new Names('sandbox');
	const failing = async () => {
		throw new Error('broken');
	};
	const calls = await Promise.allSettled([
		names.claim('a', never, failing),
		names.claim('a', never, failing),
	]);
	assert.deepEqual(
		calls.map(({ status }) => status),
		['rejected', 'rejected'],
	);
	assert.equal(names.idOf('a'), undefined);
	await names.claim('a', never, async () => {});
});

test('a caller that leaves is told stage and holder; the next call gets the result', async () => {
	const names = new Names('sandbox');
	const made = Promise.withResolvers<void>();
	const leaves = new AbortController();
	const first = names.claim('a', leaves.signal, (holder) => {
		holder.stage = 'network.prepare';
		return made.promise;
	});
	leaves.abort();
	await assert.rejects(first, (error: Error & { condition?: string }) => {
		assert.equal(error.condition, 'DEADLINE_EXCEEDED');
		assert.match(error.message, /network\.prepare/);
		assert.ok(error.message.includes(names.idOf('a') ?? 'no id'));
		return true;
	});
	made.resolve();
	await made.promise;
	const id = names.idOf('a');
	assert.equal(await names.claim('a', never, () => assert.fail('made twice')), id);
	await assert.rejects(
		names.claim('a', never, async () => {}),
		{ condition: 'ALREADY_EXISTS' },
	);
});

test('recovery holds names for those that exist', async () => {
	const names = new Names('sandbox');
	assert.ok(names.hold('a', 'one'));
	assert.ok(names.hold('a', 'one'));
	assert.ok(!names.hold('a', 'other'));
	await assert.rejects(
		names.claim('a', never, async () => {}),
		{ condition: 'ALREADY_EXISTS' },
	);
});
