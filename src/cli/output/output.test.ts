import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryIo } from '../io.ts';
import { timelineOf } from '../timeline.ts';
import { age, bytes, duration, short } from './format.ts';
import { json } from './json.ts';
import { bar, createProgress } from './progress.ts';
import { table } from './table.ts';
import { timelineTable } from './timeline.ts';

test('a table is aligned, and no value breaks it', () => {
	const rows = [
		{ a: 'x', n: '1' },
		{ a: 'a\nb\x1b[31m', n: '100' },
	];
	const text = table(rows, [
		{ title: 'NAME', value: ({ a }) => a },
		{ title: 'N', value: ({ n }) => n, right: true },
	]);
	assert.equal(text, 'NAME        N\nx           1\na b [31m  100\n');
});

test('numbers for people', () => {
	assert.deepEqual(['0', '1023', '1536', '251658240', 1024 ** 5].map(bytes), [
		'0 B',
		'1023 B',
		'1.5 KiB',
		'240 MiB',
		'1024 TiB',
	]);
	assert.deepEqual([350, 1234, 48_000, 2_100_000].map(duration), ['350 µs', '1.2 ms', '48 ms', '2.1 s']);
	const now = 1_000_000_000_000;
	assert.deepEqual(
		[4, 119, 600, 10_000, 400_000].map((s) => age(BigInt(now - s * 1000) * 1_000_000n, now)),
		['4s', '119s', '10m', '2h', '4d'],
	);
	assert.equal(age('0'), '-');
	assert.equal(short('sha256:0123456789abcdef'), '0123456789abc');
});

test('JSON shows bytes as text and big numbers as digits', () => {
	assert.deepEqual(JSON.parse(json({ a: 12n, b: Buffer.from('hi'), c: new Uint8Array([104]) })), {
		a: '12',
		b: 'hi',
		c: 'h',
	});
});

test('a bar shows its share, and only the bytes where the total is unknown', () => {
	assert.equal(bar(512, 1024, 4), '[##--]  50%  512 B / 1.0 KiB');
	assert.equal(bar(5000, 0), '4.9 KiB');
	assert.match(bar(5, 4, 4), /^\[####\] 100%/);
});

test('progress is drawn on a terminal only', () => {
	const plain = memoryIo();
	createProgress(plain).show('x');
	assert.equal(plain.stderr, '');
	const terminal = Object.assign(memoryIo(), { columns: 10 });
	const progress = createProgress(terminal);
	progress.show('a long line that does not fit');
	progress.clear();
	assert.equal(terminal.stderr, '\r\x1b[Ka long li\r\x1b[K');
});

test('a timeline draws each stage where it was, and its steps below it', () => {
	const plan = [
		{ label: 'make the process', elapsedUs: 300 },
		{ label: 'run the createRuntime hooks (/gantry-hook)', elapsedUs: 500 },
		{ label: 'wait for start', elapsedUs: 9_000_000 },
		{ label: 'become user 0:0', elapsedUs: 1000 },
		{ label: 'execute sh', elapsedUs: undefined },
	];
	const network = [{ label: 'host  make gt0', elapsedUs: 500 }];
	const stages = [
		{ name: 'create', startedUs: 0, elapsedUs: 1000 },
		{ name: 'start', startedUs: 9_000_000, elapsedUs: 1000 },
	];
	const lines = timelineTable(timelineOf(stages, { plan, network })).trimEnd().split('\n').slice(1);
	const expected = [
		/^create +0 µs +1\.0 ms {2}█{20}$/,
		/^ {2}\(before its steps\) +0 µs +200 µs {2}▓{4}$/,
		/^ {2}make the process +200 µs +300 µs {6}▓{6}$/,
		/^ {2}run the createRuntime hooks .* +500 µs +500 µs {12}▓{10}$/,
		/^ {4}host {2}make gt0 +500 µs +500 µs {12}░{10}$/,
		/^start +9\.0 s +1\.0 ms {22}█{20}$/,
		/^ {2}become user 0:0 +9\.0 s +1\.0 ms {22}▓{20}$/,
	];
	assert.equal(lines.length, expected.length);
	for (const [index, pattern] of expected.entries()) assert.match(lines[index] ?? '', pattern);
});

test('short steps that follow each other are told together', () => {
	const plan = Array.from({ length: 10 }, (_, index) => ({ label: `mask ${index}`, elapsedUs: 1 }));
	const stages = [{ name: 'create', startedUs: 0, elapsedUs: 10_000 }];
	const long = { label: 'mount proc', elapsedUs: 5000 };
	const text = timelineTable(timelineOf(stages, { plan: [...plan, long, ...plan], network: [] }));
	assert.deepEqual(
		text
			.trimEnd()
			.split('\n')
			.slice(3)
			.map((line) => line.trim().split(/ {2,}/).slice(0, 3)),
		[
			['10 short steps', '5.0 ms', '10 µs'],
			['mount proc', '5.0 ms', '5.0 ms'],
			['10 short steps', '10.0 ms', '10 µs'],
		],
	);
});
