import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '#base/errors.ts';
import { formatAddress, parseAddress, parseSubnet } from '../ip.ts';
import { AddressPool } from './address-pool.ts';

const take = (pool: AddressPool, count: number) =>
	Array.from({ length: count }, () => formatAddress(pool.allocate()));
const address = (text: string) => {
	const parsed = parseAddress(text);
	assert.ok(parsed);
	return parsed;
};

test('network, gateway and broadcast are never given', () => {
	const pool = new AddressPool(parseSubnet('10.1.2.0/29'));
	assert.deepEqual(take(pool, 5), ['10.1.2.2', '10.1.2.3', '10.1.2.4', '10.1.2.5', '10.1.2.6']);
	assert.throws(
		() => pool.allocate(),
		(error) =>
			error instanceof StatusError &&
			error.condition === 'RESOURCE_EXHAUSTED' &&
			/10\.1\.2\.0\/29.*network\.subnets/.test(error.message),
	);
});

test('IPv6 has no broadcast address', () => {
	const pool = new AddressPool(parseSubnet('fd00::/126'));
	assert.deepEqual(take(pool, 2), ['fd00::2', 'fd00::3']);
	assert.throws(() => pool.allocate(), /fd00::\/126/);
});

test('a freed address is given again only after the others', () => {
	const pool = new AddressPool(parseSubnet('10.1.2.0/29'));
	take(pool, 2);
	pool.release(address('10.1.2.2'));
	assert.deepEqual(take(pool, 4), ['10.1.2.4', '10.1.2.5', '10.1.2.6', '10.1.2.2']);
});

test('adopted addresses are not given, foreign ones are told', () => {
	const pool = new AddressPool(parseSubnet('10.1.2.0/29'));
	assert.ok(pool.adopt(address('10.1.2.2')));
	assert.ok(!pool.adopt(address('10.9.0.2')));
	assert.deepEqual(take(pool, 1), ['10.1.2.3']);
	assert.equal(pool.used, 2);
});
