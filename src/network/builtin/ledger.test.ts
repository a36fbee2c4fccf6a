import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseSubnet } from '../ip.ts';
import type { PortMapping, SandboxNetworkRequest } from '../types.ts';
import { decodeAllocation, encodeAllocation } from './allocation.ts';
import { Ledger } from './ledger.ts';

const request = (sandboxId: string, portMappings: readonly PortMapping[] = []): SandboxNetworkRequest => ({
	sandboxId,
	namespace: 'default',
	name: 'web',
	uid: '',
	hostname: '',
	portMappings,
	dns: { servers: [], searches: [], options: [] },
	annotations: {},
	labels: {},
	cgroupPath: '',
	folder: '/nowhere',
});
const http: PortMapping = { protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '' };
const ledger = (...subnets: string[]) => {
	const made = new Ledger();
	made.usePools(subnets.map(parseSubnet));
	return made;
};
const texts = (one: { addresses: readonly { address: Parameters<typeof formatAddress>[0] }[] }) =>
	one.addresses.map(({ address }) => formatAddress(address));

test('a sandbox gets one address per network, and gives all back', () => {
	const own = ledger('10.1.0.0/29', 'fd00::/64');
	assert.deepEqual(texts(own.allocate(request('a', [http]))), ['10.1.0.2', 'fd00::2']);
	assert.throws(() => own.allocate(request('a')), /on the network already/);
	own.free('a');
	own.free('a');
	assert.equal(own.allocations.size, 0);
	own.allocate(request('b', [http]));
});

test('what fails takes nothing: neither ports when addresses run out nor addresses of the other family', () => {
	const own = ledger('10.1.0.0/30', 'fd00::/64');
	own.allocate(request('a'));
	assert.throws(() => own.allocate(request('b', [http])), /No address is free in 10\.1\.0\.0\/30/);
	own.free('a');
	assert.deepEqual(texts(own.allocate(request('c', [http]))), ['10.1.0.2', 'fd00::3']);
});

test('an adopted sandbox keeps what it has, also from networks of before', () => {
	const before = ledger('10.1.0.0/29');
	const data = JSON.parse(JSON.stringify(encodeAllocation(before.allocate(request('a', [http])))));
	const own = ledger('10.1.0.0/29');
	own.adopt(decodeAllocation(data, 'a'));
	assert.throws(() => decodeAllocation(data, 'b'), /cannot be read/);
	assert.deepEqual(texts(own.allocate(request('b'))), ['10.1.0.3']);
	assert.throws(() => own.allocate(request('c', [http])), /holds/);
	own.usePools([parseSubnet('10.2.0.0/29')]);
	assert.deepEqual(texts(own.allocate(request('d'))), ['10.2.0.2']);
});

test('of two adopted sandboxes with one host port the second has lost it, and keeps its address', () => {
	const own = ledger('10.1.0.0/29');
	const first = own.allocate(request('a', [http]));
	own.free('a');
	const second = own.allocate(request('b', [http, { ...http, hostPort: 8081 }]));
	own.free('b');
	assert.deepEqual(own.adopt(first), []);
	assert.deepEqual(own.adopt(second), [http]);
	assert.deepEqual(
		own.allocations.get('b')?.portMappings.map(({ hostPort }) => hostPort),
		[8081],
	);
	own.free('a');
	assert.deepEqual(texts(own.allocate(request('c', [http]))), ['10.1.0.4']);
});

test('a record of another form is told, and a host port on ::1 is refused', () => {
	for (const data of [
		undefined,
		{},
		{ version: 2 },
		{ version: 1, sandboxId: 'a', pod: 'b', addresses: ['x'], portMappings: [] },
		{ version: 1, sandboxId: 'a', pod: 'b', addresses: [], portMappings: [null] },
	])
		assert.throws(() => decodeAllocation(data, 'a'), /cannot be read|portMappings\[0\] is null/);
	assert.throws(
		() => ledger('fd00::/64').allocate(request('a', [{ ...http, hostIp: '::1' }])),
		/127\.0\.0\.1/,
	);
});
