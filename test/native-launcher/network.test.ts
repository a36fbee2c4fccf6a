import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Struct } from '../../runtime/shim/codec.ts';
import { refused, TestLauncher } from './launcher.ts';
import {
	attribute,
	batch,
	linkHeader,
	message,
	messagesOf,
	NETLINK_NETFILTER,
	NFNL,
	NFT,
	NLM_F,
	nfHeader,
	RTM,
	step,
	testNamespace,
	textOf,
	u32,
} from './netlink.ts';

const IFLA = { IFNAME: 3, MTU: 4, LINKINFO: 18, NET_NS_FD: 28, INFO_KIND: 1, INFO_DATA: 2, VETH_PEER: 1 };
const POD = 1;
const UP = 1;
const CREATE = NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL;
const name = (part: string): string => `gnl${process.pid % 100_000}${part}`;
const apply = (launcher: TestLauncher, netns_path: string, ...steps: Struct<'net_step'>[]) =>
	launcher.ask('NET_APPLY', { netns_path, steps }, 'NET_APPLIED');
const bridge = (label: string): Buffer =>
	message(
		RTM.NEWLINK,
		CREATE,
		linkHeader(),
		attribute(IFLA.IFNAME, label),
		attribute(IFLA.LINKINFO, attribute(IFLA.INFO_KIND, Buffer.from('bridge'))),
	);
const links = message(RTM.GETLINK, NLM_F.DUMP, linkHeader());
const namesIn = (reply: Uint8Array) =>
	messagesOf(reply).map(({ payload }) => textOf(payload, 16, IFLA.IFNAME));

/** A veth pair whose peer is born in the pod; the offset of the descriptor's place is found by a mark. */
function vethPair(host: string, peer: string): { messages: Buffer; netns_fd_offsets: number[] } {
	const mark = u32(0xfee1dead);
	const inner = Buffer.concat([linkHeader(), attribute(IFLA.IFNAME, peer), attribute(IFLA.NET_NS_FD, mark)]);
	const info = Buffer.concat([
		attribute(IFLA.INFO_KIND, Buffer.from('veth')),
		attribute(IFLA.INFO_DATA, attribute(IFLA.VETH_PEER, inner)),
	]);
	const messages = message(
		RTM.NEWLINK,
		CREATE,
		linkHeader(),
		attribute(IFLA.IFNAME, host),
		attribute(IFLA.LINKINFO, info),
	);
	return { messages, netns_fd_offsets: [messages.indexOf(mark)] };
}

test('steps in the pod, on the host and across, several messages in one, with what each took', async () => {
	await using launcher = await TestLauncher.start();
	using pod = testNamespace(name('p'));
	const host = name('h');
	try {
		const applied = await apply(
			launcher,
			pod.path,
			step('bring up loopback', {
				ns: POD,
				messages: message(RTM.NEWLINK, NLM_F.ACK, linkHeader(1, UP, UP)),
			}),
			step('make the veth pair', vethPair(host, 'eth0')),
			step('make two links', { ns: POD, messages: Buffer.concat([bridge('one'), bridge('two')]) }),
			step('list the links of the pod', { ns: POD, messages: links }),
			step('list the links of the host', { messages: links }),
		);
		assert.deepEqual(
			applied.results.map((result) => result.step),
			[0, 1, 2, 3, 4],
		);
		assert.ok(applied.results.every((result) => result.elapsed_ns > 0n));
		const [, , , inPod, onHost] = applied.results.map((result) => namesIn(result.reply));
		assert.deepEqual(inPod?.filter((link) => ['lo', 'eth0', 'one', 'two'].includes(link ?? '')).sort(), [
			'eth0',
			'lo',
			'one',
			'two',
		]);
		assert.ok(onHost?.includes(host) && !onHost.includes('one'));
		assert.match(pod.ip('link', 'show', 'lo'), /LOOPBACK,UP/);
	} finally {
		execFileSync('sh', ['-c', `ip link del ${host} 2>/dev/null || true`]);
	}
});

test('an echo brings what was made', async () => {
	await using launcher = await TestLauncher.start();
	using pod = testNamespace(name('p'));
	const request = message(
		RTM.NEWLINK,
		CREATE | NLM_F.ECHO,
		linkHeader(),
		attribute(IFLA.IFNAME, 'made'),
		attribute(IFLA.LINKINFO, attribute(IFLA.INFO_KIND, Buffer.from('bridge'))),
	);
	const { results } = await apply(launcher, pod.path, step('make a link', { ns: POD, messages: request }));
	assert.deepEqual(namesIn(results[0]?.reply ?? new Uint8Array()), ['made']);
	const get = message(RTM.GETLINK, 0, linkHeader(), attribute(IFLA.IFNAME, 'made'));
	const asked = await apply(launcher, pod.path, step('look at a link', { ns: POD, messages: get }));
	assert.deepEqual(namesIn(asked.results[0]?.reply ?? new Uint8Array()), ['made']);
});

test('a failure tells step, label, errno and what the kernel says', async () => {
	await using launcher = await TestLauncher.start();
	using pod = testNamespace(name('p'));
	const twice = [
		step('make it', { ns: POD, messages: bridge('one') }),
		step('make it again', { ns: POD, messages: bridge('one') }),
	];
	await assert.rejects(apply(launcher, pod.path, ...twice), refused(17, 'make it again', 1));

	const unknown = message(
		RTM.NEWLINK,
		CREATE,
		linkHeader(),
		attribute(IFLA.IFNAME, 'x'),
		attribute(IFLA.LINKINFO, attribute(IFLA.INFO_KIND, Buffer.from('nonsense'))),
	);
	await assert.rejects(
		apply(launcher, pod.path, step('make a link', { ns: POD, messages: unknown })),
		refused(95, 'make a link: Unknown device type'),
	);
	const short = message(RTM.NEWLINK, CREATE, linkHeader(), attribute(IFLA.MTU, Buffer.from([1])));
	await assert.rejects(
		apply(launcher, pod.path, step('make a link', { ns: POD, messages: short })),
		refused(34, 'make a link: Attribute failed policy validation, at byte 32'),
	);

	const second = Buffer.concat([bridge('two'), message(RTM.DELLINK, NLM_F.ACK, linkHeader(9999))]);
	await assert.rejects(
		apply(launcher, pod.path, step('two at once', { ns: POD, messages: second })),
		refused(19, 'message 2 of 2', 0),
	);
});

test('a tolerated errno is no failure', async () => {
	await using launcher = await TestLauncher.start();
	using pod = testNamespace(name('p'));
	const del = message(RTM.DELLINK, NLM_F.ACK, linkHeader(9999));
	const { results } = await apply(
		launcher,
		pod.path,
		step('delete', { ns: POD, messages: del, tolerate: [2, 19] }),
	);
	assert.equal(results.length, 1);
	await assert.rejects(
		apply(launcher, pod.path, step('delete', { ns: POD, messages: del, tolerate: [2] })),
		refused(19, 'delete'),
	);
});

test('a batch of nftables messages is carried out as a whole or not at all', async () => {
	await using launcher = await TestLauncher.start();
	using pod = testNamespace(name('p'));
	const table = (kind: number, flags: number, label: string) =>
		message(NFNL.NFT | kind, flags | NLM_F.ACK, nfHeader(1), attribute(1, label));
	const chain = message(
		NFNL.NFT | NFT.NEWCHAIN,
		NLM_F.CREATE | NLM_F.ACK,
		nfHeader(1),
		attribute(1, 'first'),
		attribute(3, 'chain'),
	);
	const list = step('list tables', {
		ns: POD,
		protocol: NETLINK_NETFILTER,
		messages: message(NFNL.NFT | NFT.GETTABLE, NLM_F.DUMP, nfHeader(0)),
	});
	const inBatch = (label: string, ...messages: Buffer[]) =>
		step(label, { ns: POD, protocol: NETLINK_NETFILTER, messages: batch(...messages) });
	const made = await apply(
		launcher,
		pod.path,
		inBatch('make a table and a chain', table(NFT.NEWTABLE, NLM_F.CREATE, 'first'), chain),
		list,
	);
	assert.deepEqual(
		messagesOf(made.results[1]?.reply ?? new Uint8Array()).map(({ payload }) => textOf(payload, 4, 1)),
		['first'],
	);

	const failing = inBatch(
		'make one and delete none',
		table(NFT.NEWTABLE, NLM_F.CREATE, 'second'),
		table(NFT.DELTABLE, 0, 'missing'),
	);
	await assert.rejects(apply(launcher, pod.path, failing), refused(2, 'make one and delete none'));
	const after = await apply(launcher, pod.path, list);
	assert.deepEqual(
		messagesOf(after.results[0]?.reply ?? new Uint8Array()).map(({ payload }) => textOf(payload, 4, 1)),
		['first'],
	);
});

test('a dump of thousands of entries comes whole', async () => {
	await using launcher = await TestLauncher.start();
	using pod = testNamespace(name('p'));
	const address = (n: number): Buffer => {
		const head = Buffer.alloc(8);
		head.set([2, 32, 0, 0]);
		head.writeUInt32LE(1, 4);
		const bytes = Buffer.from([10, 99, n >> 8, n & 0xff]);
		return message(RTM.NEWADDR, CREATE, head, attribute(1, bytes), attribute(2, bytes));
	};
	const count = 3000;
	const dump = message(22, NLM_F.DUMP, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]));
	const applied = await apply(
		launcher,
		pod.path,
		step('add addresses', {
			ns: POD,
			messages: Buffer.concat(Array.from({ length: count }, (_, n) => address(n))),
		}),
		step('list addresses', { ns: POD, messages: dump }),
	);
	assert.equal(messagesOf(applied.results[1]?.reply ?? new Uint8Array()).length, count);
});

test('sysctls are written in the namespace of the step, below /proc/sys only', async () => {
	await using launcher = await TestLauncher.start();
	using pod = testNamespace(name('p'));
	const sysctl = (path: string, value: string, rest = {}) =>
		step('set a sysctl', { kind: 1, ns: POD, path, value, ...rest });
	const host = readFileSync('/proc/sys/net/ipv4/ip_default_ttl', 'utf8');
	await apply(
		launcher,
		pod.path,
		sysctl('net/ipv4/ip_default_ttl', '33'),
		sysctl('/proc/sys/net/ipv4/tcp_fin_timeout', '44'),
	);
	const inside = await launcher.run(
		['/bin/cat', '/proc/sys/net/ipv4/ip_default_ttl', '/proc/sys/net/ipv4/tcp_fin_timeout'],
		{ namespaces: [pod.path] },
	);
	assert.equal(inside.out, '33\n44\n');
	assert.equal(readFileSync('/proc/sys/net/ipv4/ip_default_ttl', 'utf8'), host);

	await assert.rejects(apply(launcher, pod.path, sysctl('net/no/such', '1')), refused(2, 'net/no/such'));
	await apply(launcher, pod.path, sysctl('net/no/such', '1', { tolerate: [2] }));
	await assert.rejects(apply(launcher, pod.path, sysctl('../self/oom_score_adj', '1')), refused(18));
	await assert.rejects(apply(launcher, pod.path, sysctl('net/ipv4/ip_default_ttl', 'nonsense')), refused(22));
});

test('a program runs in the namespace that it was given', async () => {
	await using launcher = await TestLauncher.start();
	using pod = testNamespace(name('p'));
	const ran = await launcher.run(['/bin/ls', '/proc/self/net/dev_snmp6'], { namespaces: [pod.path] });
	assert.equal(ran.out, 'lo\n');
});

test('plans that make no sense are refused before anything is sent', async () => {
	await using launcher = await TestLauncher.start();
	using pod = testNamespace(name('p'));
	const plain = message(RTM.GETLINK, NLM_F.DUMP, linkHeader());
	const refusals: [Struct<'net_step'>, string?][] = [
		[step('pod without one', { ns: POD, messages: plain }), ''],
		[step('nothing', {})],
		[step('cut', { messages: plain.subarray(0, 10) })],
		[step('too long', { messages: Buffer.concat([u32(4000), plain.subarray(4)]) })],
		[step('two dumps', { messages: Buffer.concat([plain, plain]) })],
		[step('offset', { messages: plain, netns_fd_offsets: [plain.length - 3] }), pod.path],
		[step('offset', { messages: plain, netns_fd_offsets: [0xffffffff] }), pod.path],
		[step('kind', { kind: 7, messages: plain })],
		[step('namespace', { ns: 7, messages: plain }), pod.path],
	];
	for (const [bad, path = ''] of refusals)
		await assert.rejects(apply(launcher, path, bad), refused(22, '', 0), bad.label);
	await assert.rejects(
		apply(launcher, '/nowhere/ns', step('x', { messages: plain })),
		refused(2, '/nowhere/ns'),
	);
	await assert.rejects(
		apply(launcher, '/etc/passwd', step('x', { ns: POD, messages: plain })),
		refused(22, 'namespace'),
	);
	await assert.rejects(
		apply(launcher, '', step('protocol', { protocol: 99, messages: plain })),
		refused(93, '99'),
	);
});
