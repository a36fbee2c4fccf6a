import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLog } from '#base/log.ts';
import { fromJson, toJson } from './json.ts';
import { Records } from './records.ts';
import { bigInteger, integer, list, map, object, oneOf, optional, type Shape, text } from './shape.ts';

interface Thing {
	readonly name: string;
	readonly size: bigint;
	readonly note?: string | undefined;
}
const shape: Shape<Thing> = object<Thing>({ name: text, size: bigInteger, note: optional(text) });

let folder: string;
let records: Records<Thing>;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'gantry-records-'));
	records = new Records(folder, 'thing', shape, silentLog);
	mkdirSync(join(folder, 'a'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const record = (): string => readFileSync(join(folder, 'a/record.json'), 'utf8');
const rewrite = (from: string | RegExp, to: string): void =>
	writeFileSync(join(folder, 'a/record.json'), record().replace(from, to));

test('what is saved is read again, phase and 64-bit integers included', async () => {
	const value = { name: 'x', size: 2n ** 63n };
	records.save('a', 'making', value);
	assert.deepEqual(await records.readAll(), {
		records: [{ id: 'a', phase: 'making', value }],
		unreadable: [],
	});
	assert.deepEqual(readdirSync(join(folder, 'a')), ['record.json']);
});

test('what a write left that was killed goes when the records are read', async () => {
	records.save('a', 'made', { name: 'x', size: 1n });
	writeFileSync(join(folder, 'a/record.json.0a1b2c3d.tmp'), '{"version":');
	assert.equal((await records.readAll()).records.length, 1);
	assert.deepEqual(readdirSync(join(folder, 'a')), ['record.json']);
});

test('a save into a folder that is gone fails; trySave does not', async () => {
	assert.throws(() => records.save('gone', 'made', { name: 'x', size: 0n }), /ENOENT/);
	records.trySave('gone', 'made', { name: 'x', size: 0n });
});

const broken: readonly (readonly [what: string, damage: () => void, why: RegExp])[] = [
	[
		'missing',
		() => {
			rmSync(join(folder, 'a/record.json'));
			mkdirSync(join(folder, 'a/bundle'));
		},
		/ENOENT/,
	],
	['cut off', () => writeFileSync(join(folder, 'a/record.json'), record().slice(0, 20)), /not JSON/],
	['of another version', () => rewrite('"version":1', '"version":2'), /version is 2/],
	['of another kind', () => rewrite('"kind":"thing"', '"kind":"other"'), /record of a other/],
	['of another id', () => rewrite('"id":"a"', '"id":"b"'), /record of b/],
	['without a field', () => rewrite('"name":"x",', ''), /record\.value\.name is undefined/],
	['with a strange field', () => rewrite('"name"', '"more":1,"name"'), /record\.value\.more is not known/],
	[
		'with a wrong type',
		() => rewrite('"name":"x"', '"name":7'),
		/record\.value\.name is number, expected text/,
	],
	['null', () => writeFileSync(join(folder, 'a/record.json'), 'null'), /version is undefined/],
];
for (const [what, damage, why] of broken) {
	test(`a record that is ${what} is told apart, and hides no other`, async () => {
		records.save('a', 'made', { name: 'x', size: 1n });
		mkdirSync(join(folder, 'b'));
		records.save('b', 'made', { name: 'y', size: 2n });
		damage();
		const all = await records.readAll();
		assert.deepEqual(
			all.records.map(({ id }) => id),
			['b'],
		);
		assert.equal(all.unreadable[0]?.id, 'a');
		assert.match(all.unreadable[0]?.why ?? '', why);
	});
}

test('JSON keeps 64-bit integers and bytes at every depth', () => {
	const value = { a: [1n, { b: Buffer.from('bytes') }], c: null, d: 'text' };
	assert.deepEqual(fromJson(toJson(value)), value);
	assert.equal(fromJson(toJson(5n)), 5n);
	const labels = { $bigint: '5', $$bytes: 'x', '': Buffer.from('y'), $: { $bytes: 'z' } };
	assert.deepEqual(fromJson(toJson({ labels })), { labels });
});

test('shapes name the path of what is wrong', () => {
	const check = object<{ of: readonly { kind: 'x' | 'y' }[]; by: Readonly<Record<string, number>> }>({
		of: list(object({ kind: oneOf('x', 'y') })),
		by: map(integer),
	});
	assert.deepEqual(check({ of: [{ kind: 'y' }], by: { a: 1 } }, 'it'), { of: [{ kind: 'y' }], by: { a: 1 } });
	assert.throws(() => check({ of: [{ kind: 'x' }, { kind: 'z' }], by: {} }, 'it'), /it\.of\[1\]\.kind/);
	assert.throws(() => check({ of: [], by: { a: 1.5 } }, 'it'), /it\.by\.a/);
	assert.throws(() => check({ of: {}, by: {} }, 'it'), /it\.of is object, expected a list/);
});

test('a removal takes the folder away at once; one that was interrupted is finished', async () => {
	records.save('a', 'made', { name: 'x', size: 1n });
	await records.remove('a');
	await records.remove('a');
	assert.deepEqual(readdirSync(folder), []);
	mkdirSync(join(folder, '.removed-b/bundle'), { recursive: true });
	assert.deepEqual(await records.readAll(), { records: [], unreadable: [] });
	assert.deepEqual(readdirSync(folder), []);
});

test('a folder in which nothing was made yet is no object', async () => {
	writeFileSync(join(folder, 'a/record.json.12345678.tmp'), '{"half');
	assert.deepEqual(await records.readAll(), { records: [], unreadable: [] });
	assert.deepEqual(readdirSync(folder), []);
});
