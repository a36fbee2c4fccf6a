import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SandboxNetworkRequest } from '../types.ts';
import { cniArguments, runtimeCapabilities, runtimeConfigFor, untold } from './capabilities.ts';
import { type Attachment, addChain, checkChain, collectGarbage, deleteChain } from './chain.ts';
import {
	type CniNetwork,
	decodeNetwork,
	encodeNetwork,
	isAtLeast,
	type Json,
	parseNetwork,
} from './config.ts';
import { describeAttachment } from './describe.ts';
import { createPluginRunner, type PluginCall, type PluginRunner } from './plugin.ts';
import { dnsOf, ipsOf } from './result.ts';

const request: SandboxNetworkRequest = {
	sandboxId: 'a'.repeat(64),
	namespace: 'default',
	name: 'web',
	uid: 'u1',
	hostname: 'web',
	portMappings: [],
	dns: { servers: [], searches: [], options: [] },
	annotations: {},
	labels: {},
	cgroupPath: '',
	folder: '/nowhere',
};
const list = (part: Json = {}) =>
	JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'a' }, { type: 'b' }], ...part });

test('lists and single configurations are read', () => {
	const network = parseNetwork('10.conflist', list());
	assert.deepEqual(
		network.plugins.map(({ type }) => type),
		['a', 'b'],
	);
	const single = parseNetwork(
		'10.conf',
		'{"cniVersion":"0.3.1","name":"n","type":"bridge","capabilities":{"dns":true,"ips":false}}',
	);
	assert.deepEqual([...(single.plugins[0]?.capabilities ?? [])], ['dns']);
	assert.deepEqual(decodeNetwork(JSON.parse(JSON.stringify(encodeNetwork(network)))), network);
});

test('the newest version that both sides know is used', () => {
	assert.equal(
		parseNetwork('x.conflist', list({ cniVersions: ['0.4.0', '1.1.0', '2.0.0'] })).cniVersion,
		'1.1.0',
	);
	assert.ok(isAtLeast('1.0.0', '0.4.0') && !isAtLeast('0.3.1', '0.4.0') && isAtLeast('0.4.0', '0.4.0'));
});

test('every mistake names the file and the field', () => {
	for (const [text, wanted] of [
		['{', /^StatusError: x\.conflist: it is not JSON/],
		['[]', /x\.conflist: it must be a JSON object/],
		[list({ name: '../x' }), /"name" must be/],
		[list({ cniVersion: '0.2.0' }), /CNI version "0\.2\.0" is not supported/],
		[list({ cniVersion: undefined }), /"cniVersion" is missing/],
		[list({ plugins: [] }), /"plugins" must be a list/],
		[list({ plugins: [{ type: 'a/b' }] }), /"type" of plugins\[0\]/],
		[list({ plugins: [{ type: 'a', capabilities: [] }] }), /"capabilities" of plugins\[0\]/],
		[list({ disableCheck: 'perhaps' }), /"disableCheck" must be true or false/],
	] as const)
		assert.throws(() => parseNetwork('x.conflist', text), wanted);
	assert.throws(() => parseNetwork('x.conf', list()), /belongs in a file that ends in \.conflist/);
});

test('a plugin is told what it declares and what there is to tell', () => {
	const all = runtimeCapabilities({
		...request,
		portMappings: [
			{ protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '' },
			{ protocol: 'udp', containerPort: 53, hostPort: 0, hostIp: '' },
		],
		annotations: { 'kubernetes.io/ingress-bandwidth': '1M' },
	});
	const [plugin] = parseNetwork(
		'x.conf',
		'{"cniVersion":"1.0.0","name":"n","type":"t","capabilities":{"portMappings":true,"bandwidth":true,"dns":true}}',
	).plugins;
	assert.ok(plugin);
	assert.deepEqual(runtimeConfigFor(plugin, all), {
		portMappings: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }],
		bandwidth: { ingressRate: 1_000_000, ingressBurst: 2147483647 },
	});
	assert.deepEqual(untold([plugin], all), []);
	assert.deepEqual(untold([{ ...plugin, capabilities: new Set(['portMappings']) }], all), ['bandwidth']);
	assert.deepEqual(untold([], runtimeCapabilities(request)), []);
	for (const rate of ['10', 'fast', '2P'])
		assert.throws(
			() => runtimeCapabilities({ ...request, annotations: { 'kubernetes.io/egress-bandwidth': rate } }),
			/egress-bandwidth/,
		);
});

test('a name that would break the argument list is refused', () => {
	assert.match(cniArguments(request), /^IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;/);
	assert.throws(() => cniArguments({ ...request, name: 'a;IgnoreUnknown=0' }), /separate their arguments/);
});

test('addresses of the result: those inside the pod, first of each family first', () => {
	const interfaces = [{ name: 'br0' }, { name: 'eth0', sandbox: '/ns' }, { name: 'v', sandbox: '' }];
	const ips = [
		{ address: '192.0.2.9/24', interface: 2 },
		{ address: 'fd00::2/64', interface: 1 },
		{ address: '10.1.0.3/24', interface: 1 },
		{ address: '10.1.0.2/24' },
	];
	assert.deepEqual(ipsOf({ interfaces, ips }), ['10.1.0.3', 'fd00::2', '10.1.0.2']);
	assert.throws(() => ipsOf({ ips: [] }), /no IP address/);
	assert.throws(() => ipsOf({ ips: [{ address: { toString: 1 } }] }), /no IP address/);
	assert.equal(dnsOf({ dns: {} }), undefined);
	assert.deepEqual(dnsOf({ dns: { nameservers: ['1.1.1.1'], domain: 'a', search: ['a', 'b'] } }), {
		servers: ['1.1.1.1'],
		searches: ['a', 'b'],
		options: [],
	});
});

/** Notes every call; `fail` says which ones fail. */
function fakeRunner(
	fail: (call: PluginCall) => boolean = () => false,
): PluginRunner & { readonly calls: PluginCall[] } {
	const calls: PluginCall[] = [];
	return {
		calls,
		find: async (type) => `/bin/${type}`,
		run: async (call) => {
			calls.push(call);
			if (fail(call)) throw new Error(`${call.type} ${call.command} failed`);
			return { cniVersion: '1.0.0', from: call.type };
		},
	};
}
const attachment = (part: Json = {}, result?: Json): Attachment => ({
	network: parseNetwork('x.conflist', list(part)),
	sandboxId: 's',
	netns: '/run/netns/s',
	interfaceName: 'eth0',
	args: 'A=1',
	capabilities: {},
	result,
});
const said = ({ calls }: { calls: PluginCall[] }) => calls.map(({ command, type }) => `${command} ${type}`);

test('ADD goes forward and hands each answer on, DEL goes back with the last one', async () => {
	const runner = fakeRunner();
	const result = await addChain(runner, attachment());
	assert.deepEqual(said(runner), ['ADD a', 'ADD b']);
	assert.equal(runner.calls[0]?.config.prevResult, undefined);
	assert.deepEqual(runner.calls[1]?.config.prevResult, { cniVersion: '1.0.0', from: 'a' });
	assert.deepEqual(runner.calls[1]?.environment, {
		CNI_CONTAINERID: 's',
		CNI_NETNS: '/run/netns/s',
		CNI_IFNAME: 'eth0',
		CNI_ARGS: 'A=1',
	});
	assert.deepEqual(await deleteChain(runner, attachment({}, result)), []);
	assert.deepEqual(said(runner).slice(2), ['DEL b', 'DEL a']);
	assert.deepEqual(runner.calls[3]?.config, {
		type: 'a',
		name: 'net',
		cniVersion: '1.0.0',
		prevResult: { cniVersion: '1.0.0', from: 'b' },
	});
});

test('before 0.4.0 there is no CHECK, and DEL is not told the result', async () => {
	const runner = fakeRunner();
	const old = attachment({ cniVersion: '0.3.1' }, { x: 1 });
	await checkChain(runner, old);
	await deleteChain(runner, old);
	assert.deepEqual(said(runner), ['DEL b', 'DEL a']);
	assert.equal(runner.calls[0]?.config.prevResult, undefined);
});

test('one plugin that fails at DEL does not keep the others from theirs', async () => {
	const runner = fakeRunner(({ type }) => type === 'b');
	assert.deepEqual(await deleteChain(runner, attachment()), ['b DEL failed']);
	assert.deepEqual(said(runner), ['DEL b', 'DEL a']);
});

test('CHECK is told the result, and left out where the network says so; GC begins with 1.1.0', async () => {
	const runner = fakeRunner();
	await checkChain(runner, attachment({}, { x: 1 }));
	assert.deepEqual(
		runner.calls.map(({ config }) => config.prevResult),
		[{ x: 1 }, { x: 1 }],
	);
	await checkChain(runner, attachment({ disableCheck: true }));
	const gc = (part: Json): [CniNetwork, []] => [parseNetwork('x.conflist', list(part)), []];
	await collectGarbage(runner, ...gc({}));
	await collectGarbage(runner, ...gc({ cniVersion: '1.1.0', disableGC: true }));
	assert.deepEqual(said(runner), ['CHECK a', 'CHECK b']);
	await collectGarbage(runner, ...gc({ cniVersion: '1.1.0' }));
	assert.deepEqual(said(runner).slice(2), ['GC a', 'GC b']);
});

test('whatever a plugin does instead of answering is told', async () => {
	const answer = (part: object) =>
		createPluginRunner(
			{
				run: async () => ({
					exitCode: 0,
					signal: 0,
					timedOut: false,
					truncated: false,
					stdout: Buffer.alloc(0),
					stderr: Buffer.alloc(0),
					...part,
				}),
			},
			{ binDirs: ['/bin'], timeoutMs: 1000 },
		).run({ command: 'ADD', type: 'sh', config: {}, environment: {} });
	assert.deepEqual(await answer({}), {});
	await assert.rejects(answer({ timedOut: true }), /sh failed at ADD: it did not end within/);
	await assert.rejects(answer({ exitCode: 2, stderr: Buffer.from('boom\n') }), /exit status 2: boom/);
	await assert.rejects(answer({ exitCode: -1, signal: 9 }), /signal 9/);
	await assert.rejects(answer({ stdout: Buffer.from('hello') }), /its answer is no JSON object: hello/);
	await assert.rejects(
		answer({ exitCode: 1, stdout: Buffer.from('{"code":7,"msg":"bad","details":""}') }),
		/bad \[code 7\]/,
	);
});

test('an attachment is described by what its plugins were told', () => {
	const described = attachment(
		{ plugins: [{ type: 'portmap', capabilities: { portMappings: true, dns: true } }] },
		{ ips: [] },
	);
	assert.deepEqual(describeAttachment({ ...described, capabilities: { portMappings: [] } }).slice(0, 2), [
		'pod   lo up in the pod',
		'pod   CNI 1.0.0 ADD portmap (network net) with portMappings',
	]);
});
