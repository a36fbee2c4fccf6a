import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedWork } from './shared-work.ts';

/** Work that ends when told, or when aborted. */
function controlled() {
	const done = Promise.withResolvers<string>();
	const state = { starts: 0, aborted: false };
	const start = (signal: AbortSignal) => {
		state.starts++;
		signal.addEventListener('abort', () => {
			state.aborted = true;
			done.reject(signal.reason);
		});
		return done.promise;
	};
	return { done, state, start };
}

test('equal keys share, others do not', async () => {
	const shared = new SharedWork<string>();
	const { done, state, start } = controlled();
	const a = shared.join('k', undefined, start);
	const b = shared.join('k', undefined, start);
	const other = shared.join('x', undefined, async () => 'other');
	assert.deepEqual([a.started, b.started, other.started, state.starts], [true, false, true, 1]);
	done.resolve('r');
	assert.deepEqual(await Promise.all([a.result, b.result, other.result]), ['r', 'r', 'other']);
	assert.equal(shared.join('k', undefined, async () => 'new').started, true);
});

test('only the last one to leave aborts', async () => {
	const shared = new SharedWork<string>();
	const { state, start } = controlled();
	const [first, second] = [new AbortController(), new AbortController()];
	const a = shared.join('k', first.signal, start).result;
	const b = shared.join('k', second.signal, start).result;
	first.abort(new Error('one'));
	await assert.rejects(a, /one/);
	assert.equal(state.aborted, false);
	second.abort(new Error('two'));
	await assert.rejects(b, /two/);
	assert.equal(state.aborted, true);
	assert.equal(await shared.join('k', undefined, async () => 'anew').result, 'anew');
});

test('a failure reaches all, and is forgotten', async () => {
	const shared = new SharedWork<string>();
	const { done, start } = controlled();
	const both = [shared.join('k', undefined, start).result, shared.join('k', undefined, start).result];
	done.reject(new Error('broken'));
	for (const result of await Promise.allSettled(both)) assert.equal(result.status, 'rejected');
	assert.equal(shared.underWay('k'), undefined);
});

test('close aborts and waits', async () => {
	const shared = new SharedWork<string>();
	const { state, start } = controlled();
	const result = shared.join('k', undefined, start).result;
	result.catch(() => {});
	await shared.close(new Error('closing'));
	assert.equal(state.aborted, true);
	await assert.rejects(result, /closing/);
});
