import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { follow } from './follow.ts';
import { LogJoiner, parseEntry } from './parse.ts';

const folder = await mkdtemp(join(tmpdir(), 'gantry-logs-'));
after(() => rm(folder, { recursive: true }));
const TIME = '2026-01-02T03:04:05.123456789Z';
const entry = (tag: string, text: string, stream = 'stdout') => `${TIME} ${stream} ${tag} ${text}\n`;

test('an entry is taken apart; anything else is none', () => {
	const parsed = parseEntry(Buffer.from(`${TIME} stderr P a b `));
	assert.deepEqual(
		{ ...parsed, text: parsed?.text.toString() },
		{ time: TIME, stream: 'stderr', partial: true, text: 'a b ' },
	);
	for (const bad of ['', 'x', `${TIME} stdout`, `${TIME} stdfoo F x`, `${TIME} stdout X x`])
		assert.equal(parseEntry(Buffer.from(bad)), undefined);
});

test('parts are joined per stream, whatever pieces the bytes come in', () => {
	const log = Buffer.from(
		entry('P', 'one ') +
			entry('F', 'error', 'stderr') +
			entry('P', 'two ') +
			entry('F', 'three ä') +
			entry('P', 'open'),
	);
	for (const size of [1, 7, 1000]) {
		const joiner = new LogJoiner();
		const lines = [];
		for (let at = 0; at < log.length; at += size)
			lines.push(...joiner.push(Buffer.from(log.subarray(at, at + size))));
		assert.deepEqual(
			lines.map(({ stream, text }) => `${stream} ${text}`),
			['stderr error', 'stdout one two three ä'],
		);
		assert.deepEqual(
			joiner.end().map(({ text, whole }) => [text.toString(), whole]),
			[['open', false]],
		);
	}
});

/** Follows a file; `steps` are done one after the other, each when the file has been read to its end. */
async function followed(path: string, steps: readonly (() => Promise<unknown>)[]): Promise<string> {
	const left = [...steps];
	const more = async () => {
		const step = left.shift();
		await step?.();
		return step !== undefined;
	};
	const chunks: Buffer[] = [];
	for await (const chunk of follow(path, { more, signal: AbortSignal.timeout(10_000), pollMs: 1 }))
		chunks.push(chunk);
	return Buffer.concat(chunks).toString();
}

test('a growing file is read on', async () => {
	const path = join(folder, 'grows');
	await writeFile(path, 'a');
	assert.equal(
		await followed(path, [async () => {}, () => appendFile(path, 'b'), () => appendFile(path, 'c')]),
		'abc',
	);
});

test('a rotated file is read to its end, and then the new one', async () => {
	const path = join(folder, 'rotates');
	await writeFile(path, 'old ');
	const rotate = async () => {
		await appendFile(path, 'last ');
		await rename(path, `${path}.1`);
		await writeFile(path, 'new');
	};
	assert.equal(await followed(path, [async () => {}, rotate, async () => {}]), 'old last new');
});

test('between rename and reopen the old file goes on', async () => {
	const path = join(folder, 'renamed');
	await writeFile(path, '1');
	const steps = [
		async () => {},
		() => rename(path, `${path}.1`),
		() => appendFile(`${path}.1`, '2'),
		() => writeFile(path, '3'),
		async () => {},
	];
	assert.equal(await followed(path, steps), '123');
});

test('a truncated file is read from its beginning', async () => {
	const path = join(folder, 'truncated');
	await writeFile(path, 'long text');
	const shorten = async () => {
		await truncate(path, 0);
		await appendFile(path, 'new');
	};
	assert.equal(await followed(path, [async () => {}, shorten, async () => {}]), 'long textnew');
});

test('a file that comes later is waited for; one that never comes is nothing', async () => {
	const path = join(folder, 'later');
	assert.equal(await followed(path, [async () => {}, () => writeFile(path, 'here')]), 'here');
	assert.equal(await followed(join(folder, 'never'), [async () => {}]), '');
});
