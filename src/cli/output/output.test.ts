import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryIo } from '../io.ts';
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

test('a timeline draws each stage where it was', () => {
	const stages = [
		{ name: 'network', startedUs: 0, elapsedUs: 1000 },
		{ name: 'start', startedUs: 1000, elapsedUs: 1000 },
	];
	const lines = timelineTable(stages).trimEnd().split('\n');
	assert.match(lines[1] ?? '', /^network +0 µs +1\.0 ms {2}={20}$/);
	assert.match(lines[2] ?? '', /^start +1\.0 ms +1\.0 ms {22}={20}$/);
});
