import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadedAs } from '../test/support/contract.ts';
import { RPC_NAMES, RPCS } from './index.ts';

interface Table {
	readonly services: Record<
		string,
		Record<string, { request: string; response: string; server_stream?: boolean }>
	>;
	readonly enums: Record<string, Record<string, number>>;
	readonly messages: Record<
		string,
		{ fields: { name: string; number: number; type?: string; map?: [string, string]; repeated?: boolean }[] }
	>;
}
interface Descriptor {
	readonly name: string;
	readonly number: number;
	readonly label: string;
	readonly type: string;
	readonly typeName: string;
}
interface Described {
	readonly type: {
		readonly field?: readonly Descriptor[];
		readonly value?: readonly { name: string; number: number }[];
	};
}

const table = JSON.parse(readFileSync(new URL('cri-v1.json', import.meta.url), 'utf8')) as Table;
const described = (name: string): Described['type'] => {
	const definition = loadedAs(name) as Described | undefined;
	assert.ok(definition, `${name} is missing from api.proto`);
	return definition.type;
};

/** `TYPE_INT64` to `int64`, a message or enum to its name. */
function plainType(field: Descriptor): string {
	if (field.type === 'TYPE_MESSAGE' || field.type === 'TYPE_ENUM')
		return field.typeName.split('.').at(-1) ?? '';
	return field.type.slice('TYPE_'.length).toLowerCase();
}

test('every field of api.proto has the name, number, type and label of the table', () => {
	for (const [name, { fields }] of Object.entries(table.messages)) {
		const declared = described(name).field ?? [];
		assert.equal(declared.length, fields.length, `${name} has another number of fields`);
		for (const expected of fields) {
			const actual = declared.find((field) => field.number === expected.number);
			assert.ok(actual, `${name} lacks field ${expected.number}`);
			assert.equal(actual.name, expected.name);
			const repeated = expected.repeated === true || expected.map !== undefined;
			assert.equal(actual.label === 'LABEL_REPEATED', repeated, `${name}.${expected.name}: label`);
			if (expected.map === undefined)
				assert.equal(plainType(actual), expected.type, `${name}.${expected.name}: type`);
		}
	}
});

test('every enum of api.proto has the values of the table', () => {
	for (const [name, values] of Object.entries(table.enums)) {
		const actual = Object.fromEntries(
			(described(name).value ?? []).map((value) => [value.name, value.number]),
		);
		assert.deepEqual(actual, values, name);
	}
});

test('the list of RPCs is the table, 43 in all', () => {
	const expected = Object.entries(table.services).flatMap(([service, rpcs]) =>
		Object.entries(rpcs).map(([name, { request, response, server_stream = false }]) => [
			name,
			{ service, serverStream: server_stream, request, response },
		]),
	);
	assert.equal(RPC_NAMES.length, 43);
	assert.deepEqual(RPCS, Object.fromEntries(expected));
});
