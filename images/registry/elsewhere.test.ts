import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { test } from 'node:test';
import { lookUpElsewhere, refuseLinkLocal } from './elsewhere.ts';

const REFUSED = { condition: 'PERMISSION_DENIED', message: /link-local/ };

test('addresses that only this machine has are refused, in every way to write them', () => {
	for (const host of [
		'169.254.169.254',
		'2852039166',
		'0xa9fea9fe',
		'[fe80::1]',
		'[::ffff:169.254.169.254]',
		'[fd00:ec2::254]',
	])
		assert.throws(() => refuseLinkLocal(new URL(`http://${host}/latest`)), REFUSED, host);
	for (const host of ['10.0.0.1', 'r.example', '[fd00::1]', '127.0.0.1'])
		refuseLinkLocal(new URL(`http://${host}:5000/v2/`));
});

test('and so are names that stand for them', async () => {
	const found = (answer: unknown, family?: number) =>
		new Promise((resolve, reject) => {
			const resolver = ((_host, _options, done) => done(null, answer as string, family)) as LookupFunction;
			lookUpElsewhere(resolver)('meta.example', {}, (error, address) =>
				error ? reject(error) : resolve(address),
			);
		});
	await assert.rejects(found('169.254.169.254', 4) as Promise<unknown>, REFUSED);
	await assert.rejects(
		found([
			{ address: '10.0.0.1', family: 4 },
			{ address: 'fe80::1', family: 6 },
		]) as Promise<unknown>,
		REFUSED,
	);
	assert.equal(await found('10.0.0.1', 4), '10.0.0.1');
});
