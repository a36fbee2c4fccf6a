import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONSTANTS, type NetStep } from '#runtime';
import { formatAddress, formatSubnet, parseAddress, parseSubnet } from '../ip.ts';
import { forgetUdpFlows } from './conntrack.ts';
import { readHostView } from './host-view.ts';
import { readElements, transaction } from './nftables.ts';
import { limitRate } from './qdisc.ts';
import { listAttributes, readAttributes, readMessages, readString } from './reader.ts';
import { addAddress, addDefaultRoute, IFLA, IFLA_INFO, makeVeth, RTM, removeLink } from './route.ts';
import { ERRNO, sysctlStep } from './step.ts';
import { NetlinkWriter, NLM_F_ACK, NLM_F_CREATE } from './writer.ts';

const hex = (step: Pick<NetStep, 'messages'>) => Buffer.from(step.messages).toString('hex');
const messages = (step: NetStep) => readMessages(step.messages);
const address = (text: string) => {
	const parsed = parseAddress(text);
	assert.ok(parsed);
	return parsed;
};

test('a message has its length, flags and sequence, and attributes are padded to four bytes', () => {
	const writer = new NetlinkWriter();
	writer.message(16, NLM_F_ACK, () => writer.string(3, 'ab')).message(17, 0, () => {});
	assert.equal(
		writer.finish().toString('hex'),
		'18000000100005000100000000000000' + '0700030061620000' + '10000000110001000200000000000000',
	);
});

test('what a writer wrote is read back, nested attributes too', () => {
	const writer = new NetlinkWriter();
	writer.message(1, 0, () =>
		writer.nested(5, () => {
			writer.attributeU32(1, 0x01020304);
			writer.attributeBe32(2, 0x01020304);
			writer.bytes(3, Buffer.alloc(1000, 7));
		}),
	);
	const [message] = readMessages(writer.finish());
	const inner = readAttributes(readAttributes(message?.body ?? Buffer.alloc(0)).get(5) ?? Buffer.alloc(0));
	assert.equal(inner.get(1)?.readUInt32LE(), 0x01020304);
	assert.equal(inner.get(2)?.readUInt32BE(), 0x01020304);
	assert.equal(inner.get(3)?.length, 1000);
});

test('lengths that do not fit are errors, not reads beyond the end', () => {
	assert.throws(() => readMessages(Buffer.from('ff000000100005000100000000000000', 'hex')), {
		condition: 'INTERNAL',
	});
	assert.throws(() => readMessages(Buffer.from('04000000100005000100000000000000', 'hex')), {
		condition: 'INTERNAL',
	});
	const short = (type: number) => Buffer.from([20, 0, 0, 0, type, 0, ...new Array(14).fill(2)]);
	for (const type of [16, 20, 24])
		assert.throws(() => readHostView([{ step: 0, elapsed_ns: 0n, reply: short(type) }]), {
			condition: 'INTERNAL',
		});
	assert.throws(() => listAttributes(Buffer.from('ff000300', 'hex')), { condition: 'INTERNAL' });
});

test('deleting a link by name: the bytes that ip(8) sends, and an acknowledgement', () => {
	const step = removeLink('gt12345');
	const header = '2c000000110005000100000000000000';
	assert.equal(hex(step), `${header}${'00'.repeat(16)}0c0003006774313233343500`);
	assert.deepEqual(step.tolerate, [ERRNO.ENODEV]);
	assert.equal(step.ns, CONSTANTS.NET_HOST);
});

test('a veth pair is made with its other end in the pod, whose descriptor goes where the offset says', () => {
	const step = makeVeth({
		hostName: 'gt1',
		hostIndex: 1000,
		podName: 'eth0',
		podIndex: 64,
		podMac: Buffer.from('020000000001', 'hex'),
		bridgeIndex: 9,
		bridgeName: 'one0',
		mtu: 1400,
		alias: 'gantry:one:x',
	});
	const [offset = 0] = step.netns_fd_offsets;
	Buffer.from(step.messages.buffer, step.messages.byteOffset).writeUInt32LE(0xabcd, offset);
	const [make, alias] = messages(step);
	assert.ok(make && alias);
	assert.equal(make.type, RTM.NEWLINK);
	assert.equal(make.body.readInt32LE(4), 1000);
	const attributes = readAttributes(make.body.subarray(16));
	assert.equal(readString(attributes.get(IFLA.IFNAME)), 'gt1');
	assert.equal(attributes.get(IFLA.MASTER)?.readUInt32LE(), 9);
	const info = readAttributes(attributes.get(IFLA.LINKINFO) ?? Buffer.alloc(0));
	assert.equal(readString(info.get(IFLA_INFO.KIND)), 'veth');
	const peer = readAttributes(info.get(IFLA_INFO.DATA) ?? Buffer.alloc(0)).get(1) ?? Buffer.alloc(0);
	assert.equal(peer.readInt32LE(4), 64, 'the index of eth0');
	const inPod = readAttributes(peer.subarray(16));
	assert.equal(inPod.get(IFLA.NET_NS_FD)?.readUInt32LE(), 0xabcd);
	assert.equal(inPod.get(IFLA.ADDRESS)?.toString('hex'), '020000000001');
	assert.equal(readString(readAttributes(alias.body.subarray(16)).get(IFLA.IFALIAS)), 'gantry:one:x');
});

test('an IPv4 address with its broadcast, an IPv6 address without detection', () => {
	const eth0 = { name: 'eth0', index: 64 };
	assert.equal(
		hex(addAddress('pod', eth0, { address: address('10.85.0.3'), subnet: parseSubnet('10.85.0.0/16') })),
		'300000001400050501000000000000000210000040000000080002000a550003080001000a550003080004000a55ffff',
	);
	const v6 = addAddress('pod', eth0, { address: address('fd00::3'), subnet: parseSubnet('fd00::/64') });
	assert.equal(messages(v6)[0]?.body.subarray(0, 8).toString('hex'), '0a40020040000000');
	assert.equal(v6.ns, CONSTANTS.NET_POD);
	assert.match(v6.label, /^address fd00::3\/64 on eth0 in the pod$/);
});

test('a default route leads through the first address of the network', () => {
	const [message] = messages(addDefaultRoute(64, parseSubnet('10.85.0.0/16')));
	assert.equal(message?.body.toString('hex'), '02000000fe04000100000000080005000a5500010800040040000000');
});

test('UDP flows are named by family, protocol and port', () => {
	const [message] = messages(forgetUdpFlows(4, 8053));
	assert.equal(message?.type, 0x102);
	assert.match(message?.body.toString('hex') ?? '', /^02000000.*05000100110000000600030{2}1f75/);
});

test('a transaction is wrapped, and each of its messages asks for an answer', () => {
	const step = transaction('x', 'gantry-one', (batch) => {
		batch.table('hello');
		batch.addElements('hostport4', [{ key: Buffer.alloc(8, 1), value: Buffer.alloc(8, 2), comment: 'abc' }]);
		batch.addElements('hostport4', []);
	});
	const all = messages(step);
	assert.deepEqual(
		all.map(({ type }) => type),
		[0x10, 0xa00, 0xa0c, 0x11],
	);
	assert.deepEqual(
		all.map(({ flags }) => flags),
		[1, 5 | NLM_F_CREATE, 5 | NLM_F_CREATE, 1],
	);
	assert.deepEqual(readElements(step.messages), [
		{ key: Buffer.alloc(8, 1), value: Buffer.alloc(8, 2), comment: 'abc' },
	]);
});

test('a comment is cut to what nft shows, never within a letter', () => {
	const step = transaction('x', 't', (batch) => batch.table('ä'.repeat(100)));
	const [, table] = messages(step);
	const data = readAttributes(table?.body.subarray(4) ?? Buffer.alloc(0)).get(6) ?? Buffer.alloc(0);
	assert.equal(readString(data.subarray(2)), 'ä'.repeat(60));
	assert.equal(data.readUInt8(1), data.length - 2);
});

test('a sysctl step names its file below /proc/sys', () => {
	const step = sysctlStep('pod', 'net/ipv4/conf/eth0/accept_redirects', '0');
	assert.equal(step.path, '/proc/sys/net/ipv4/conf/eth0/accept_redirects');
	assert.equal(step.kind, CONSTANTS.NET_SYSCTL);
	assert.equal(step.label, 'set net/ipv4/conf/eth0/accept_redirects to 0 in the pod');
});

test('dumps become links, addresses and routes', () => {
	const writer = new NetlinkWriter();
	writer.message(RTM.NEWLINK, 0, () => {
		for (const word of [0, 7, 0, 0]) writer.u32(word);
		writer.string(IFLA.IFNAME, 'one0');
		writer.string(IFLA.IFALIAS, 'gantry:one');
		writer.attributeU32(IFLA.MTU, 1400);
		writer.nested(IFLA.LINKINFO, () => writer.string(IFLA_INFO.KIND, 'bridge'));
	});
	writer.message(3, 0, () => {});
	const own = { address: address('10.85.0.1'), subnet: parseSubnet('10.85.0.0/16') };
	const steps = [
		{ messages: writer.finish() },
		addAddress('host', { name: 'one0', index: 7 }, own),
		addDefaultRoute(7, parseSubnet('10.85.0.0/16')),
	];
	const view = readHostView(steps.map(({ messages: reply }, step) => ({ step, elapsed_ns: 0n, reply })));
	assert.deepEqual(view.links, [
		{ index: 7, name: 'one0', alias: 'gantry:one', kind: 'bridge', mtu: 1400, master: 0 },
	]);
	assert.deepEqual(
		view.addresses.map((one) => [formatAddress(one.address), formatSubnet(one.subnet)]),
		[['10.85.0.1', '10.85.0.0/16']],
	);
	assert.deepEqual(
		view.routes.map(({ destination, linkIndex }) => [formatSubnet(destination), linkIndex]),
		[['0.0.0.0/0', 7]],
	);
});

test('a rate is told in bytes, beyond 4 GB/s in 64 bits', () => {
	const optionsOf = (bits: number) => {
		const [message] = messages(limitRate('host', { name: 'x', index: 7 }, bits));
		assert.equal(message?.body.readInt32LE(4), 7);
		return readAttributes(readAttributes(message.body.subarray(20)).get(2) ?? Buffer.alloc(0));
	};
	const slow = optionsOf(8_000_000);
	assert.equal(slow.get(1)?.readUInt32LE(8), 1_000_000);
	assert.equal(slow.get(6)?.readUInt32LE(), 65536);
	assert.equal(slow.get(4), undefined);
	assert.equal(optionsOf(1e15).get(4)?.readBigUInt64LE(), 125_000_000_000_000n);
});
