/** What hooks ask, what CNI plugins and their configurations say, and addresses and ports in requests. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { silentLog } from '../../../src/base/log.ts';
import { parseQuantity } from '../../../src/base/quantity.ts';
import { bandwidthOf } from '../../../src/network/bandwidth.ts';
import { decodeAllocation, encodeAllocation } from '../../../src/network/builtin/allocation.ts';
import { decodeNetwork, encodeNetwork, parseNetwork } from '../../../src/network/cni/config.ts';
import { createPluginRunner } from '../../../src/network/cni/plugin.ts';
import { dnsOf, ipsOf } from '../../../src/network/cni/result.ts';
import { HookServer } from '../../../src/network/hook-server.ts';
import { formatAddress, formatSubnet, parseAddress, parseSubnet } from '../../../src/network/ip.ts';
import { hostPortsOf } from '../../../src/network/port-mappings.ts';
import { portMappings } from '../../../src/sandbox/ports.ts';
import { fromJson, toJson } from '../../../src/store/json.ts';
import { ofText, type Target } from '../target.ts';

/** What a server that knows one sandbox answers. */
async function ask(input: Buffer): Promise<string> {
	const folder = mkdtempSync(join(tmpdir(), 'fuzz-hook-'));
	const server = new HookServer(join(folder, 's'), silentLog);
	server.register('token', async (verb) => {
		if (verb !== 'add')
			throw new Error(`no ${verb}
here`);
	});
	try {
		await server.listen();
		const socket = connect(server.path);
		socket.on('error', () => {});
		socket.end(input);
		return await readAll(socket).catch(() => '');
	} finally {
		await server.close();
		rmSync(folder, { recursive: true, force: true });
	}
}

const hookRequest: Target = {
	seeds: ['add token 5\n', 'del token 0\n', 'del other 0\n', 'x token 4294967295\n'],
	tokens: ['token', ' ', '\n', 'add', 'del'],
	cost: 20,
	async run(input) {
		const answer = await ask(input);
		assert.ok(answer === '' || /^(ok|error [^\n]*)\n$/.test(answer), JSON.stringify(answer));
		if (input.includes('\n') || input.length >= 4096) assert.notEqual(answer, '');
	},
};

const LIST = {
	cniVersion: '1.0.0',
	cniVersions: ['1.0.0', '1.1.0'],
	name: 'net',
	disableCheck: 'true',
	disableGC: false,
	plugins: [
		{ type: 'bridge', capabilities: { portMappings: true }, ipam: { type: 'host-local' } },
		{ type: 'portmap' },
	],
};
const cniConfig = ofText({
	seeds: [JSON.stringify(LIST), JSON.stringify({ cniVersion: '0.3.1', name: 'n', type: 'bridge' })],
	run(text) {
		for (const file of ['10.conflist', '10.conf']) {
			const network = attempt(() => parseNetwork(file, text));
			if (network === undefined) continue;
			const stored = JSON.parse(JSON.stringify(encodeNetwork(network)));
			assert.deepEqual(
				decodeNetwork(stored).plugins.map(({ type }) => type),
				network.plugins.map(({ type }) => type),
			);
		}
	},
});

/** The value, or undefined when it is refused as it should be. */
function attempt<T>(work: () => T): T | undefined {
	try {
		return work();
	} catch (error) {
		if ((error as Error).name !== 'StatusError') throw error;
		return undefined;
	}
}

const RESULT = {
	cniVersion: '1.0.0',
	interfaces: [{ name: 'br' }, { name: 'eth0', sandbox: '/n' }],
	ips: [{ address: '10.0.0.2/24', interface: 1 }, { address: 'fd00::2/64' }],
	dns: { nameservers: ['1.1.1.1'], domain: 'd', search: ['s'], options: ['o'] },
};
/** Standard output of a plugin that succeeded or, when it begins with an exclamation mark, failed. */
const cniAnswer: Target = {
	seeds: [JSON.stringify(RESULT), '!{"code":7,"msg":"no","details":"x"}', '!it broke'],
	cost: 3,
	async run(input) {
		const failed = input[0] === 0x21;
		const stdout = failed ? input.subarray(1) : input;
		const result = {
			exitCode: failed ? 1 : 0,
			signal: 0,
			timedOut: false,
			truncated: false,
			stdout,
			stderr: stdout,
		};
		const options = { binDirs: ['/bin'], timeoutMs: 1000 };
		const runner = createPluginRunner({ run: async () => ({ ...result, elapsedNs: 0n }) }, options);
		const answer = await runner.run({ command: 'ADD', type: 'sh', config: {}, environment: {} });
		dnsOf(answer);
		for (const ip of ipsOf(answer)) assert.ok(parseAddress(ip) !== undefined);
	},
};

const address = ofText({
	seeds: ['10.0.0.1', '::1', 'fd00:85::/64', '10.85.0.0/16', '::ffff:1.2.3.4', '1:2:3:4:5:6:7:8'],
	tokens: ['::', '.', '/', ':', 'ffff', '255', '%eth0'],
	run(text) {
		const parsed = parseAddress(text);
		if (parsed !== undefined) assert.deepEqual(parseAddress(formatAddress(parsed)), parsed);
		const subnet = parseSubnet(text);
		assert.deepEqual(parseSubnet(formatSubnet(subnet)), subnet);
	},
});

/** Decoded protobuf has the right types, whatever a client sent; the values are its own. */
const ports = ofText({
	seeds: ['TCP 80 8080 ', 'UDP 53 53 127.0.0.1\nSCTP 1 65535 ::1\nTCP 80 0 '],
	tokens: ['TCP', 'UDP', '-1', '65536', '0.0.0.0', '::'],
	run(text) {
		const mappings = text.split('\n').map((line) => {
			const [protocol, container, host, ip = ''] = line.split(' ');
			return {
				protocol: protocol === 'UDP' || protocol === 'SCTP' ? protocol : 'TCP',
				container_port: Number(container) | 0,
				host_port: Number(host) | 0,
				host_ip: ip,
			} as const;
		});
		for (const port of hostPortsOf(portMappings(mappings), [4, 6]))
			assert.ok(port.hostPort >= 1 && port.hostPort <= 65535);
	},
});

const allocation = ofText({
	seeds: [
		'{"version":1,"sandboxId":"a","pod":"b","addresses":["10.0.0.2/24","fd00::2/64"],"portMappings":[{"protocol":"tcp","hostPort":80,"containerPort":81,"hostIp":""}]}',
	],
	run(text) {
		const decoded = decodeAllocation(fromJson(text), 'a');
		const again = decodeAllocation(JSON.parse(JSON.stringify(encodeAllocation(decoded))), 'a');
		assert.equal(toJson(again), toJson(decoded));
	},
});

const quantity = ofText({
	seeds: ['500m', '1.5Gi', '1e6', '10M', '+.5', '-3'],
	tokens: ['e', 'E', 'Ki', 'm', 'constructor', 'toString', '.'],
	run(text) {
		const value = parseQuantity(text);
		assert.ok(value === undefined || !Number.isNaN(value), 'it is no number');
		bandwidthOf({ 'kubernetes.io/ingress-bandwidth': text });
	},
});

export const NETWORK = {
	'hook-request': hookRequest,
	'cni-config': cniConfig,
	'cni-answer': cniAnswer,
	address,
	ports,
	allocation,
	quantity,
};
