import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadSync } from '@grpc/proto-loader';
import { PROTO_OPTIONS, PROTO_PACKAGE, PROTO_PATH, RPC_NAMES, RPCS } from './index.ts';

interface Field {
	readonly name: string;
	readonly number: number;
	readonly type?: string;
	readonly map?: readonly [string, string];
	readonly repeated?: boolean;
}
interface Table {
	readonly services: Record<
		string,
		Record<string, { request: string; response: string; server_stream?: boolean }>
	>;
	readonly enums: Record<string, Record<string, number>>;
	readonly messages: Record<string, { fields: Field[] }>;
}
interface Codec {
	readonly format: string;
	readonly type: {
		field?: Descriptor[];
		value?: { name: string; number: number }[];
		nestedType?: { name: string; field: Descriptor[] }[];
	};
	serialize(value: object): Buffer;
	deserialize(bytes: Buffer): Record<string, unknown>;
}
interface Descriptor {
	readonly name: string;
	readonly number: number;
	readonly label: string;
	readonly type: string;
	readonly typeName: string;
}

const table = JSON.parse(readFileSync(new URL('cri-v1.json', import.meta.url), 'utf8')) as Table;
const loaded = loadSync(PROTO_PATH, { ...PROTO_OPTIONS }) as unknown as Record<string, Codec>;
const messageCodec = (name: string): Codec => {
	const definition = loaded[`${PROTO_PACKAGE}.${name}`];
	assert.ok(definition, `${name} is missing from the loaded proto`);
	// Messages are only reachable for encoding through a method; proto-loader gives both directions here.
	return definition;
};

/** `TYPE_INT64` to `int64`, a message or enum to its name. */
function plainType(field: Descriptor): string {
	if (field.type === 'TYPE_MESSAGE' || field.type === 'TYPE_ENUM')
		return field.typeName.split('.').at(-1) ?? '';
	return field.type.slice('TYPE_'.length).toLowerCase();
}

test('every field has the name, number, type and label of the table', () => {
	for (const [name, { fields }] of Object.entries(table.messages)) {
		const described = messageCodec(name).type.field ?? [];
		assert.equal(described.length, fields.length, `${name} has another number of fields`);
		for (const expected of fields) {
			const actual = described.find((field) => field.number === expected.number);
			assert.ok(actual, `${name} lacks field ${expected.number}`);
			assert.equal(actual.name, expected.name);
			const repeated = expected.repeated === true || expected.map !== undefined;
			assert.equal(actual.label === 'LABEL_REPEATED', repeated, `${name}.${expected.name}: label`);
			if (expected.map === undefined)
				assert.equal(plainType(actual), expected.type, `${name}.${expected.name}: type`);
		}
	}
});

test('every enum has the values of the table', () => {
	for (const [name, values] of Object.entries(table.enums)) {
		const actual = Object.fromEntries(
			(messageCodec(name).type.value ?? []).map((value) => [value.name, value.number]),
		);
		assert.deepEqual(actual, values, name);
	}
});

const SCALARS: Record<string, unknown> = {
	string: 'text',
	bool: true,
	int64: '-9007199254740993',
	uint64: '18446744073709551615',
	int32: -7,
	uint32: 7,
	double: 1.5,
	float: 0.5,
	bytes: Buffer.from('bytes'),
};

function sampleValue(type: string, depth: number): unknown {
	if (type in SCALARS) return SCALARS[type];
	const values = table.enums[type];
	if (values !== undefined) return Object.keys(values).at(-1);
	return depth > 6 ? null : sampleMessage(type, depth + 1);
}

function sampleMessage(name: string, depth = 0): Record<string, unknown> {
	const message: Record<string, unknown> = {};
	for (const field of table.messages[name]?.fields ?? []) {
		if (field.map !== undefined) message[field.name] = { key: sampleValue(field.map[1], depth) };
		else if (field.repeated)
			message[field.name] = [sampleValue(field.type ?? '', depth)].filter((value) => value !== null);
		else message[field.name] = sampleValue(field.type ?? '', depth);
	}
	return message;
}

test('every message survives encoding and decoding with every field set', () => {
	const messages = new Map<string, Codec>();
	for (const [service, rpcs] of Object.entries(table.services)) {
		const definition = loaded[`${PROTO_PACKAGE}.${service}`] as unknown as Record<
			string,
			{
				requestSerialize: Codec['serialize'];
				requestDeserialize: Codec['deserialize'];
				responseSerialize: Codec['serialize'];
				responseDeserialize: Codec['deserialize'];
			}
		>;
		for (const [rpc, { request, response }] of Object.entries(rpcs)) {
			const method = definition[rpc];
			assert.ok(method, `${rpc} is missing`);
			messages.set(request, {
				serialize: method.requestSerialize,
				deserialize: method.requestDeserialize,
			} as Codec);
			messages.set(response, {
				serialize: method.responseSerialize,
				deserialize: method.responseDeserialize,
			} as Codec);
		}
	}
	const covered = new Set<string>();
	const visit = (name: string): void => {
		if (covered.has(name)) return;
		covered.add(name);
		for (const field of table.messages[name]?.fields ?? [])
			for (const type of [field.type, field.map?.[1]]) if (type && type in table.messages) visit(type);
	};
	for (const [name, codec] of messages) {
		const sample = sampleMessage(name);
		assert.deepEqual(codec.deserialize(codec.serialize(sample)), sample, name);
		visit(name);
	}
	assert.deepEqual([...covered].sort(), Object.keys(table.messages).sort(), 'a message that no RPC reaches');
});

test('the list of RPCs is the table, 43 in all', () => {
	const expected = Object.entries(table.services).flatMap(([service, rpcs]) =>
		Object.entries(rpcs).map(([name, rpc]) => [name, { service, serverStream: rpc.server_stream ?? false }]),
	);
	assert.equal(RPC_NAMES.length, 43);
	assert.deepEqual(RPCS, Object.fromEntries(expected));
});

test('a 64-bit integer may be given as bigint', () => {
	const definition = loaded[`${PROTO_PACKAGE}.RuntimeService`] as unknown as Record<
		string,
		{ responseSerialize: Codec['serialize']; responseDeserialize: Codec['deserialize'] }
	>;
	const method = definition.PodSandboxStatus;
	assert.ok(method);
	const decoded = method.responseDeserialize(
		method.responseSerialize({ timestamp: 1_700_000_000_123_456_789n }),
	);
	assert.equal(decoded.timestamp, '1700000000123456789');
});
