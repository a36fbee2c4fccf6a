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
	const calls = [names.claim('a', { signal: never, make }), names.claim('a', { signal: never, make })];
	made.resolve();
	const [one, other] = await Promise.all(calls);
	assert.equal(one, other);
	assert.equal(makings, 1);
	assert.equal(names.idOf('a'), one);
});

test('a name that is taken is ALREADY_EXISTS with the id, until it is released by that id', async () => {
	const names = new Names('sandbox');
	const id = await names.claim('a', { signal: never, make: async () => {} });
	await assert.rejects(names.claim('a', { signal: never, make: async () => {} }), {
		condition: 'ALREADY_EXISTS',
		message: new RegExp(id),
	});
	names.release('a', 'another');
	await assert.rejects(names.claim('a', { signal: never, make: async () => {} }), {
		condition: 'ALREADY_EXISTS',
	});
	names.release('a', id);
	assert.notEqual(await names.claim('a', { signal: never, make: async () => {} }), id);
});

test('ways that make an object of one name do not join each other', async () => {
	const names = new Names('sandbox');
	const made = Promise.withResolvers<void>();
	const call = (by: string) => names.claim('a', { signal: never, by, make: () => made.promise });
	const [first, retry] = [call('RestorePod /one'), call('RestorePod /one')];
	const other = names.claim('a', { signal: never, make: async () => {} });
	await assert.rejects(other, { condition: 'ALREADY_EXISTS' });
	await assert.rejects(call('RestorePod /two'), { condition: 'ALREADY_EXISTS' });
	made.resolve();
	assert.equal(await first, await retry);
});

test('a making that fails fails every caller and frees the name', async () => {
	const names = new Names('sandbox');
	const failing = async () => {
		throw new Error('broken');
	};
	const calls = await Promise.allSettled([
		names.claim('a', { signal: never, make: failing }),
		names.claim('a', { signal: never, make: failing }),
	]);
	assert.deepEqual(
		calls.map(({ status }) => status),
		['rejected', 'rejected'],
	);
	assert.equal(names.idOf('a'), undefined);
	await names.claim('a', { signal: never, make: async () => {} });
});

test('a caller that leaves is told stage and holder; the next call gets the result', async () => {
	const names = new Names('sandbox');
	const made = Promise.withResolvers<void>();
	const leaves = new AbortController();
	const first = names.claim('a', {
		signal: leaves.signal,
		make: (holder) => {
			holder.stage = 'network.prepare';
			return made.promise;
		},
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
	assert.equal(await names.claim('a', { signal: never, make: () => assert.fail('made twice') }), id);
	await assert.rejects(names.claim('a', { signal: never, make: async () => {} }), {
		condition: 'ALREADY_EXISTS',
	});
});

test('recovery holds names for those that exist', async () => {
	const names = new Names('sandbox');
	assert.ok(names.hold('a', 'one'));
	assert.ok(names.hold('a', 'one'));
	assert.ok(!names.hold('a', 'other'));
	await assert.rejects(names.claim('a', { signal: never, make: async () => {} }), {
		condition: 'ALREADY_EXISTS',
	});
});

test('a name that an earlier daemon gave goes to the retry of its call, once', async () => {
	const names = new Names('sandbox');
	names.hold('a', 'one');
	const call = { signal: never, make: () => assert.fail('made again') };
	await assert.rejects(names.claim('a', { ...call, isRetryFor: () => false }), {
		condition: 'ALREADY_EXISTS',
	});
	const isRetryFor = (id: string) => id === 'one';
	assert.equal(await names.claim('a', { ...call, isRetryFor }), 'one');
	await assert.rejects(names.claim('a', { ...call, isRetryFor }), { condition: 'ALREADY_EXISTS' });
});
