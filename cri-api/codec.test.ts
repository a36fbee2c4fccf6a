/** The codec beside another one: @grpc/proto-loader, which reads api.proto. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadedMethod } from '../test/support/contract.ts';
import { decodeMessage, encodeMessage, RPC_NAMES, RPCS, type RunPodSandboxRequest } from './index.ts';
import { ENUMS, MESSAGES, type MessageName } from './messages.ts';

interface Codec {
	readonly name: MessageName;
	encode(message: object): Buffer;
	decode(bytes: Buffer): object;
}

/** Of the messages that RPCs have; all others are within these. */
const theirs: readonly Codec[] = RPC_NAMES.flatMap((rpc) => {
	const { requestSerialize, requestDeserialize, responseSerialize, responseDeserialize } = loadedMethod(rpc);
	const { request, response } = RPCS[rpc];
	return [
		{ name: request, encode: requestSerialize, decode: requestDeserialize },
		{ name: response, encode: responseSerialize, decode: responseDeserialize },
	];
});

const FIELD = /^(repeated |map<string, )?([A-Za-z0-9]+)>? (\w+) = \d+$/;

/** A message with a value in every field; `round` chooses another of each type's. */
function sample(name: MessageName, round: number, seen = new Set<string>()): Record<string, unknown> {
	seen.add(name);
	return Object.fromEntries(
		MESSAGES[name].map((line, index) => {
			const [, many, type = '', field = ''] = FIELD.exec(line) ?? assert.fail(line);
			const value = (more: number): unknown => sampleValue(type, round + index + more, seen);
			if (many === undefined) return [field, type in MESSAGES && (round + index) % 5 === 4 ? null : value(0)];
			const count = (round + index) % 4;
			if (many === 'repeated ') return [field, Array.from({ length: count }, (_, at) => value(at))];
			return [field, Object.fromEntries(Array.from({ length: count }, (_, at) => [`key ${at}`, value(at)]))];
		}),
	);
}

/** As decoded: those of 64 bits are text. */
const SCALARS: Readonly<Record<string, readonly unknown[]>> = {
	string: ['text', '', 'ü€😀', 'x'.repeat(127), 'y'.repeat(128), 'z'.repeat(40_000)],
	bool: [true, false],
	int64: ['0', '1', '-1', '127', '128', '-9007199254740993', '9223372036854775807', '-9223372036854775808'],
	uint64: ['0', '4294967295', '4294967296', '9007199254740993', '18446744073709551615'],
	int32: [0, 1, -7, 2147483647, -2147483648],
	uint32: [0, 7, 128, 4294967295],
	double: [0, 1.5, -0.25, 1e300],
	bytes: [Buffer.from('bytes'), Buffer.alloc(0), Buffer.alloc(300, 255)],
};

function sampleValue(type: string, round: number, seen: Set<string>): unknown {
	const choices = SCALARS[type] ?? (ENUMS as Readonly<Record<string, readonly unknown[]>>)[type];
	if (choices !== undefined) return choices[round % choices.length];
	return sample(type as MessageName, round, seen);
}

describe('messages', () => {
	it('are read by another codec as they were meant, and theirs by ours, whatever their fields have', () => {
		const seen = new Set<string>();
		for (const { name, encode, decode } of theirs)
			for (let round = 0; round < 24; round++) {
				const message = sample(name, round, seen);
				const ours = encodeMessage(name, message);
				assert.deepEqual(decodeMessage(name, ours), message, `${name}: by ourselves`);
				assert.deepEqual(decode(ours), message, `${name}: written by us`);
				assert.deepEqual(decodeMessage(name, encode(message)), message, `${name}: read by us`);
			}
		assert.deepEqual([...seen].toSorted(), Object.keys(MESSAGES).toSorted(), 'a message that no RPC reaches');
	});

	it('have every field when nothing was sent', () => {
		for (const { name, decode } of theirs)
			assert.deepEqual(decodeMessage(name, Buffer.alloc(0)), decode(Buffer.alloc(0)), name);
	});

	it('take integers of 64 bits as text, number or bigint', () => {
		const timestamps = [1_700_000_000_123_456_789n, '1700000000123456789', 1_700_000_000_123];
		for (const timestamp of timestamps) {
			const bytes = encodeMessage('PodSandboxStatusResponse', { timestamp });
			assert.equal(fieldOf(decodeMessage('PodSandboxStatusResponse', bytes), 'timestamp'), String(timestamp));
		}
	});

	it('are merged when a field comes twice, as the format says', () => {
		const parts = [
			{
				config: {
					metadata: { name: 'one', uid: 'u' },
					labels: { a: '1', b: '2' },
					dns_config: { servers: ['x'] },
				},
			},
			{ config: { metadata: { name: 'two' }, labels: { b: '3' }, dns_config: { servers: ['y'] } } },
		].map((part) => encodeMessage('RunPodSandboxRequest', part));
		const { config } = decodeMessage('RunPodSandboxRequest', Buffer.concat(parts)) as RunPodSandboxRequest;
		assert.deepEqual(config?.metadata, { name: 'two', uid: 'u', namespace: '', attempt: 0 });
		assert.deepEqual(config?.labels, { a: '1', b: '3' });
		assert.deepEqual(config?.dns_config?.servers, ['x', 'y']);
	});

	it('may have fields, values of enums and types of fields that are not in the contract', () => {
		const known = encodeMessage('VersionRequest', { version: 'v1' });
		const later = [
			[0xf8, 0x01, 0x80, 0x01], // field 31: an integer
			[0xf9, 0x01, ...Array<number>(8).fill(0)], // 64 bits
			[0xfd, 0x01, ...Array<number>(4).fill(0)], // 32 bits
			[0xfa, 0x01, 2, 7, 7], // bytes
			[0x08, 0x05], // field 1, which is text, as an integer
		].map((bytes) => Buffer.from(bytes));
		assert.deepEqual(decodeMessage('VersionRequest', Buffer.concat([known, ...later])), { version: 'v1' });
		const state = decodeMessage('PodSandbox', Buffer.from([0x18, 99]));
		assert.equal(fieldOf(state, 'state'), 99);
	});

	it('may have a map with the key __proto__', () => {
		const labels = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
		const decoded = decodeMessage('PodSandbox', encodeMessage('PodSandbox', { labels }));
		assert.deepEqual(Object.entries(fieldOf(decoded, 'labels') as object), [['__proto__', 'x']]);
	});

	it('may have numbers one by one or packed', () => {
		const groups = 'supplemental_groups';
		const one = decodeMessage('LinuxContainerUser', Buffer.from([0x18, 5, 0x18, 6]));
		const packed = decodeMessage('LinuxContainerUser', Buffer.from([0x1a, 2, 5, 6]));
		assert.deepEqual(
			[fieldOf(one, groups), fieldOf(packed, groups)],
			[
				['5', '6'],
				['5', '6'],
			],
		);
	});

	it('are refused when they are cut off or are none', () => {
		const whole = encodeMessage('RunPodSandboxRequest', {
			config: { metadata: { name: 'a' }, labels: { a: 'b' }, port_mappings: [{ host_port: 80 }] },
		});
		for (let length = 1; length < whole.length; length++)
			assert.throws(() => decodeMessage('RunPodSandboxRequest', whole.subarray(0, length)), RangeError);
		const longer = Buffer.from(whole);
		longer[3] = 100;
		assert.throws(() => decodeMessage('RunPodSandboxRequest', longer), RangeError);
		assert.throws(() => decodeMessage('VersionRequest', Buffer.from([0x0b])), /wire type 3/);
		assert.throws(() => decodeMessage('VersionRequest', Buffer.alloc(12, 0xff)), RangeError);
	});

	it('are refused with the name of the field whose value is none of its type', () => {
		const refused = (name: MessageName, message: object, what: RegExp): void =>
			assert.throws(() => encodeMessage(name, message), { name: 'TypeError', message: what });
		refused('PodSandbox', { metadata: { name: 5 } }, /^PodSandboxMetadata\.name: string expected$/);
		refused('PodSandbox', { labels: 'a' }, /^PodSandbox\.labels: object expected$/);
		refused('PodSandbox', { metadata: 'a' }, /^PodSandbox\.metadata: object expected$/);
		refused('PodSandbox', { state: 'GONE' }, /state: name of its enum expected/);
		refused('PodSandbox', { created_at: 'now' }, /created_at: 64-bit integer expected/);
		refused('ExecRequest', { cmd: 'true' }, /cmd: array expected/);
		refused('ExecRequest', { tty: 1 }, /tty: boolean expected/);
		refused('PortMapping', { host_port: 1.5 }, /host_port: 32-bit integer expected/);
		refused('IDMapping', { length: -1 }, /length: 32-bit integer without a sign expected/);
	});
});

const fieldOf = (message: object, field: string): unknown => (message as Record<string, unknown>)[field];
