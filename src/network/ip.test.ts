import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
	addressBytes,
	addressFromBytes,
	contains,
	formatAddress,
	formatSubnet,
	gatewayOf,
	overlaps,
	parseAddress,
	parseSubnet,
} from './ip.ts';

const normal = (text: string) => {
	const address = parseAddress(text);
	return address && formatAddress(address);
};

test('an address comes back as its usual text', () => {
	for (const [text, expected] of [
		['10.85.0.3', '10.85.0.3'],
		['255.255.255.255', '255.255.255.255'],
		['::', '::'],
		['::1', '::1'],
		['fd00:0:0:0:1:0:0:1', 'fd00::1:0:0:1'],
		['FD00:1:2:3:4:5:6:7', 'fd00:1:2:3:4:5:6:7'],
		['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
		['fe80::', 'fe80::'],
		['::ffff:10.1.2.3', '::ffff:a01:203'],
	] as const)
		assert.equal(normal(text), expected);
});

test('what is no address is undefined', () => {
	for (const text of ['', '10.1', '10.1.2.256', 'fe80::1%eth0', 'localhost', '1::2::3'])
		assert.equal(parseAddress(text), undefined, text);
});

test('bytes are in network order and come back', () => {
	const address = parseAddress('fd00:85::102');
	assert.ok(address);
	assert.equal(addressBytes(address).toString('hex'), 'fd000085000000000000000000000102');
	assert.deepEqual(addressFromBytes(addressBytes(address)), address);
	assert.deepEqual([...addressBytes({ family: 4, value: 0x0a550003n })], [10, 85, 0, 3]);
});

test('a network is parsed, and its gateway is its first address', () => {
	const subnet = parseSubnet('10.85.0.0/16');
	assert.equal(formatSubnet(subnet), '10.85.0.0/16');
	assert.equal(formatAddress(gatewayOf(subnet)), '10.85.0.1');
	assert.throws(() => parseSubnet('10.85.0.1/16'), /the network is 10\.85\.0\.0\/16/);
	assert.throws(() => parseSubnet('10.85.0.0'), /is no network/);
	assert.throws(() => parseSubnet('10.85.0.0/33'), /is no network/);
});

test('containment and overlap respect the family and the shorter prefix', () => {
	const subnet = parseSubnet('10.85.0.0/16');
	const inside = parseAddress('10.85.255.255');
	const outside = parseAddress('10.86.0.0');
	assert.ok(inside && outside);
	assert.ok(contains(subnet, inside));
	assert.ok(!contains(subnet, outside));
	assert.ok(overlaps(subnet, parseSubnet('10.0.0.0/8')));
	assert.ok(overlaps(parseSubnet('10.85.7.0/24'), subnet));
	assert.ok(!overlaps(subnet, parseSubnet('10.84.0.0/16')));
	assert.ok(!overlaps(parseSubnet('0.0.0.0/0'), parseSubnet('::/0')));
});
