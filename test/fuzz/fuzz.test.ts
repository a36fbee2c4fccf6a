/** A bounded run with a fixed seed; `npm run fuzz` goes on for as long as one likes. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Fuzzer } from './harness.ts';
import { TARGETS } from './targets/index.ts';

const SEED = 20260101;
const INPUTS = 8000;

const fuzzer = new Fuzzer();
after(() => fuzzer[Symbol.asyncDispose]());

for (const [name, { cost = 1 }] of Object.entries(TARGETS))
	test(`${name} takes any bytes`, async () => {
		const { finding } = await fuzzer.run({ name, seed: SEED, inputs: Math.ceil(INPUTS / cost) });
		assert.equal(finding, undefined, `${finding?.why}\nof ${finding?.input.toString('base64')}`);
	});
