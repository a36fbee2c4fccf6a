/** The table that our own messages make, as nft(8) reads it back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Launcher, nativeBinary, startLauncher } from '../../runtime/index.ts';
import { silentLog } from '../../src/base/log.ts';
import { decodeAllocation } from '../../src/network/builtin/allocation.ts';
import {
	addHostPorts,
	removeHostPorts,
	removeTable,
	replaceTable,
} from '../../src/network/builtin/firewall.ts';
import { parseSubnet } from '../../src/network/ip.ts';
import { must, onPrivateHost } from './private-host.ts';

const EXPECTED = `table inet gantry-demo {
	comment "host ports and masquerade of demo0"
	map hostip4 {
		type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
		elements = { 132 . 192.0.2.2 . 3868 comment "aaaaaaaaaaaaa default/web" : 10.85.0.2 . 3869 }
	}

	map hostport4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { 6 . 8080 comment "aaaaaaaaaaaaa default/web" : 10.85.0.2 . 80 }
	}

	map hostip6 {
		type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service
		elements = { 17 . 2001:db8::2 . 53 comment "aaaaaaaaaaaaa default/web" : fd00:85::2 . 5353 }
	}

	map hostport6 {
		type inet_proto . inet_service : ipv6_addr . inet_service
		elements = { 6 . 8080 comment "aaaaaaaaaaaaa default/web" : fd00:85::2 . 80 }
	}

	chain guard {
		type filter hook prerouting priority -300; policy accept;
		iifname "demo0" ip saddr 127.0.0.0/8 drop comment "no loopback source from pods"
		iifname "demo0" ip daddr 127.0.0.0/8 drop comment "no loopback destination from pods"
	}

	chain hostports {
		ip6 daddr ::1 return
		dnat ip to meta l4proto . ip daddr . th dport map @hostip4
		meta nfproto 2 dnat ip to meta l4proto . th dport map @hostport4
		dnat ip6 to meta l4proto . ip6 daddr . th dport map @hostip6
		meta nfproto 10 dnat ip6 to meta l4proto . th dport map @hostport6
	}

	chain prerouting {
		type nat hook prerouting priority -100; policy accept;
		fib daddr type 2 jump hostports
	}

	chain output {
		type nat hook output priority -100; policy accept;
		fib daddr type 2 jump hostports
	}

	chain postrouting {
		type nat hook postrouting priority 100; policy accept;
		oifname "demo0" ip saddr 127.0.0.0/8 masquerade comment "host port on a loopback address"
		oifname "demo0" ip saddr 10.85.0.0/17 ct status 0x20 masquerade comment "pod to a host port of this bridge"
		oifname != "demo0" ip saddr 10.85.0.0/17 ip daddr != 224.0.0.0/4 masquerade comment "pod to the outside"
		oifname "demo0" ip6 saddr fd00:85::/64 ct status 0x20 masquerade comment "pod to a host port of this bridge"
		oifname != "demo0" ip6 saddr fd00:85::/64 ip6 daddr != ff00::/8 masquerade comment "pod to the outside"
	}
}
`;

const SUBNETS = [parseSubnet('10.85.0.0/17'), parseSubnet('fd00:85::/64')];
const web = decodeAllocation(
	{
		version: 1,
		sandboxId: 'a'.repeat(64),
		pod: 'default/web',
		addresses: ['10.85.0.2/17', 'fd00:85::2/64'],
		portMappings: [
			{ protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '' },
			{ protocol: 'udp', containerPort: 5353, hostPort: 53, hostIp: '2001:db8::2' },
			{ protocol: 'sctp', containerPort: 3869, hostPort: 3868, hostIp: '192.0.2.2' },
		],
	},
	'a'.repeat(64),
);

if (onPrivateHost(import.meta.filename)) {
	let launcher: Launcher;
	before(async () => {
		launcher = await startLauncher({
			binary: nativeBinary('gantry-shim'),
			instance: 'nfttest',
			log: silentLog,
		});
	});
	after(() => launcher?.close());
	const list = () => must('nft', '--numeric', 'list', 'ruleset');

	test('a table with one sandbox reads as it should, made at once or bit by bit', async () => {
		await launcher.applyNetwork('', [replaceTable('demo', SUBNETS, [web])]);
		assert.equal(await list(), EXPECTED);
		await launcher.applyNetwork('', [replaceTable('demo', SUBNETS, []), addHostPorts('demo', web)]);
		assert.equal(await list(), EXPECTED);
	});

	test('replacing, adding and removing may each be done twice', async () => {
		await launcher.applyNetwork('', [
			replaceTable('demo', SUBNETS, [web]),
			replaceTable('demo', SUBNETS, [web]),
		]);
		await launcher.applyNetwork('', [addHostPorts('demo', web)]);
		assert.equal(await list(), EXPECTED);
		await launcher.applyNetwork('', [removeHostPorts('demo', web), removeHostPorts('demo', web)]);
		assert.doesNotMatch(await list(), /elements/);
	});

	test('a host port that leads elsewhere by now is not taken from its owner', async () => {
		const other = {
			...web,
			sandboxId: 'b'.repeat(64),
			addresses: web.addresses.map((own) => ({
				...own,
				address: { ...own.address, value: own.address.value + 1n },
			})),
		};
		await launcher.applyNetwork('', [replaceTable('demo', SUBNETS, [other])]);
		const before = await list();
		await launcher.applyNetwork('', [removeHostPorts('demo', web)]);
		assert.equal(await list(), before);
	});

	test('without the table there is nothing to remove, and adding says what failed', async () => {
		await launcher.applyNetwork('', [removeTable('demo'), removeTable('demo'), removeHostPorts('demo', web)]);
		assert.equal(await list(), '');
		await assert.rejects(
			launcher.applyNetwork('', [addHostPorts('demo', web)]),
			/map 4 host ports in table inet gantry-demo/,
		);
	});
}
