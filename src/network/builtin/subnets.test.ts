import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSubnet, overlaps, parseAddress, parseSubnet } from '../ip.ts';
import type { HostView } from '../netlink/host-view.ts';
import { chooseSubnets, claimsOf, parseSubnets, refuseOverlap } from './subnets.ts';

const UNICAST = 1;
const route = (network: string, linkIndex = 2, type = UNICAST) => ({
	destination: parseSubnet(network),
	linkIndex,
	type,
});
const view = (...routes: HostView['routes']): HostView => ({
	links: [
		{ index: 2, name: 'up0', alias: '', kind: '', mtu: 1500, master: 0 },
		{ index: 7, name: 'one0', alias: 'gantry:one', kind: 'bridge', mtu: 1500, master: 0 },
	],
	addresses: [],
	routes,
});
const claims = (...networks: string[]) =>
	claimsOf(view(...networks.map((network) => route(network))), undefined);

test('one network per family, of a sensible size, IPv4 first', () => {
	assert.deepEqual(parseSubnets(['fd00::/64', '10.1.0.0/16']).map(formatSubnet), [
		'10.1.0.0/16',
		'fd00::/64',
	]);
	assert.throws(() => parseSubnets(['10.1.0.0/31']), /from 8 to 30/);
	assert.throws(() => parseSubnets(['10.1.0.0/16', '10.2.0.0/16']), /one pod network per family/);
});

test('an overlap names both sides and the remedy', () => {
	assert.throws(
		() => refuseOverlap([parseSubnet('10.1.0.0/16')], claims('10.0.0.0/8')),
		/The pod network 10\.1\.0\.0\/16 overlaps the route to 10\.0\.0\.0\/8 through up0: .*network\.subnets/,
	);
	refuseOverlap([parseSubnet('10.1.0.0/16')], claims('0.0.0.0/0', '10.2.0.0/16'));
});

test('routes of our own bridge and those that every link has are no claims', () => {
	const own = view(route('10.1.0.0/16', 7), route('fe80::/64'), route('ff00::/8', 2, 5), route('0.0.0.0/0'));
	assert.deepEqual(claimsOf(own, 7), []);
	assert.equal(claimsOf(own, undefined).length, 1);
});

test('an address of a link that is down is a claim too', () => {
	const address = parseAddress('10.3.0.1');
	assert.ok(address);
	const down = { ...view(), addresses: [{ linkIndex: 2, address, subnet: parseSubnet('10.3.0.0/24') }] };
	assert.deepEqual(
		claimsOf(down, undefined).map(({ what }) => what),
		['the network 10.3.0.0/24 of up0'],
	);
});

test('the choice is stable, differs between instances, and avoids every claim', () => {
	const first = chooseSubnets('gantry', 'machine', [], true);
	assert.deepEqual(chooseSubnets('gantry', 'machine', [], true), first);
	assert.notDeepEqual(chooseSubnets('demo', 'machine', [], true), first);
	assert.deepEqual(
		first.map(({ family, length }) => [family, length]),
		[
			[4, 16],
			[6, 64],
		],
	);
	assert.match(formatSubnet(first[1] ?? parseSubnet('::/0')), /^fd/);
	const used = first.map((subnet) => ({ subnet, what: 'a route' }));
	for (const subnet of chooseSubnets('gantry', 'machine', used, true))
		assert.ok(!used.some((claim) => overlaps(claim.subnet, subnet)), formatSubnet(subnet));
});

test('a node whose routes take everything is told what to do, and one without IPv6 gets none', () => {
	assert.throws(
		() => chooseSubnets('gantry', '', claims('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'), true),
		/network\.subnets/,
	);
	assert.equal(chooseSubnets('gantry', '', claims('10.0.0.0/8'), false).length, 1);
});
