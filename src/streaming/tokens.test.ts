import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StatusError } from '#base/errors.ts';
import { Tokens } from './tokens.ts';

describe('Tokens', () => {
	it('gives each value a token of its own that is good once', () => {
		const tokens = new Tokens<string>(1000);
		const [one, two] = [tokens.add('one'), tokens.add('two')];
		assert.match(one, /^[\w-]{43}$/);
		assert.equal(tokens.peek(one), 'one');
		tokens.use(one);
		assert.equal(tokens.peek(one), undefined);
		assert.equal(tokens.peek(two), 'two');
		assert.equal(tokens.peek(`${two}x`), undefined);
	});

	it('forgets what is too old', () => {
		let nowMs = 0;
		const tokens = new Tokens<string>(1000, () => nowMs);
		const early = tokens.add('early');
		nowMs = 999;
		const late = tokens.add('late');
		assert.equal(tokens.peek(early), 'early');
		nowMs = 1000;
		assert.equal(tokens.peek(early), undefined);
		assert.equal(tokens.peek(late), 'late');
	});

	it('keeps so many, and has room again when one is used or old', () => {
		let nowMs = 0;
		const tokens = new Tokens<number>(1000, () => nowMs);
		const all = Array.from({ length: 1000 }, (_, index) => tokens.add(index));
		assert.throws(
			() => tokens.add(1),
			(error: StatusError) =>
				error.condition === 'RESOURCE_EXHAUSTED' && /1000 .* 1 s after/.test(error.message),
		);
		tokens.use(all[500] ?? '');
		tokens.add(1);
		assert.throws(() => tokens.add(1));
		nowMs = 1000;
		tokens.add(1);
	});
});
