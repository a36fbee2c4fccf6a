import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SyncGate } from './sync-gate.ts';

test('whoever asks while one runs gets the next one, together', async () => {
	const runs: PromiseWithResolvers<void>[] = [];
	const gate = new SyncGate(() => {
		const run = Promise.withResolvers<void>();
		runs.push(run);
		return run.promise;
	});
	const first = gate.run();
	const [second, third] = [gate.run(), gate.run()];
	assert.equal(runs.length, 1);
	runs[0]?.resolve();
	await first;
	await new Promise(setImmediate);
	assert.equal(runs.length, 2);
	runs[1]?.resolve();
	await Promise.all([second, third]);
	const fourth = gate.run();
	assert.equal(runs.length, 3);
	runs[2]?.reject(new Error('no'));
	await assert.rejects(fourth, /no/);
	const fifth = gate.run();
	runs[3]?.resolve();
	await fifth;
});

test('a run that failed is a failure of what was under way, and of nothing that began later', async () => {
	const results = [new Error('lost'), undefined, undefined];
	const gate = new SyncGate(async () => {
		const failure = results.shift();
		if (failure !== undefined) throw failure;
	});
	const before = gate.failures;
	await assert.rejects(gate.run(), /lost/);
	await assert.rejects(gate.run(before), /lost/);
	await gate.run(gate.failures);
});
