import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeFileAtomic } from './atomic-file.ts';
import { fromSystemError, internal, messageOf, notFound, type StatusError, unavailable } from './errors.ts';
import { isId, newId, shortId } from './ids.ts';
import { KeyedLock } from './keyed-lock.ts';
import { createLog } from './log.ts';
import { withRollback } from './rollback.ts';

test('a keyed lock admits one holder per key, in order of arrival, and forgets the key', async () => {
	const lock = new KeyedLock();
	const order: string[] = [];
	const work = (name: string, key: string): Promise<void> =>
		lock.run(key, async () => {
			order.push(`${name} in`);
			await new Promise((resolve) => setImmediate(resolve));
			order.push(`${name} out`);
		});
	await Promise.all([work('a', 'x'), work('b', 'x'), work('c', 'x')]);
	assert.deepEqual(order, ['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
	assert.equal(lock.size, 0);
});

test('a keyed lock is released by an error, and other keys do not wait', async () => {
	const lock = new KeyedLock();
	await assert.rejects(
		lock.run('x', () => Promise.reject(new Error('no'))),
		/no/,
	);
	using _held = await lock.acquire('x');
	assert.equal(await lock.run('y', () => 'free'), 'free');
});

test('a rollback takes back newest first, tries every step, and keeps the first error', async () => {
	const undone: string[] = [];
	const failing = withRollback(async (rollback) => {
		rollback.push('the first', () => void undone.push('first'));
		rollback.push('the second', () => Promise.reject(new Error('stuck')));
		rollback.push('the third', () => void undone.push('third'));
		throw notFound('no such image');
	});
	await assert.rejects(failing, (error: StatusError) => {
		assert.equal(error.condition, 'NOT_FOUND');
		assert.equal(error.message, 'no such image (clean-up: cannot undo the second: stuck)');
		return true;
	});
	assert.deepEqual(undone, ['third', 'first']);
});

test('a rollback is forgotten on success', async () => {
	let undone = false;
	const result = await withRollback(async (rollback) => {
		rollback.push('it', () => {
			undone = true;
		});
		return 7;
	});
	assert.equal(result, 7);
	assert.equal(undone, false);
});

test('an atomic write replaces the file with the mode asked for and leaves no temporary file', async () => {
	const folder = await mkdtemp(join(tmpdir(), 'gantry-base-'));
	try {
		const path = join(folder, 'record.json');
		await writeFileAtomic(path, 'one');
		await writeFileAtomic(path, 'two', { durable: true, mode: 0o640 });
		assert.equal(await readFile(path, 'utf8'), 'two');
		assert.equal((await stat(path)).mode & 0o777, 0o640);
		const missing = join(folder, 'missing', 'x');
		await assert.rejects(writeFileAtomic(missing, ''), {
			condition: 'INTERNAL',
			message: new RegExp(`^Cannot write ${missing}: ENOENT`),
		});
		assert.deepEqual(await readdir(folder), ['record.json']);
	} finally {
		await rm(folder, { recursive: true });
	}
});

test('errors: a CRI reason begins the message, system errors get a condition', () => {
	const error = unavailable('no answer from 127.0.0.1:5000', { reason: 'RegistryUnavailable' });
	assert.equal(error.message, 'RegistryUnavailable: no answer from 127.0.0.1:5000');
	const full = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
	assert.equal(fromSystemError('Cannot write /x', full).condition, 'RESOURCE_EXHAUSTED');
	assert.equal(fromSystemError('Cannot write /x', new Error('odd')).condition, 'INTERNAL');
	assert.equal(fromSystemError('Cannot write /x', error), error);
	assert.equal(messageOf(internal('outer', { cause: new Error('inner') })), 'outer: inner');
});

test('ids are whole, distinct and shorten to 13 digits', () => {
	const id = newId();
	assert.ok(isId(id));
	assert.notEqual(id, newId());
	assert.equal(shortId(id).length, 13);
	assert.ok(!isId(id.toUpperCase().replace(/[0-9]/g, 'A')));
});

test('log lines are JSON, carry the fields of their parents, and obey the level at once', () => {
	const lines: string[] = [];
	const log = createLog('info', (line) => lines.push(line));
	const child = log.child({ sandbox: 'abc' });
	child.debug('hidden');
	log.setLevel('debug');
	child.debug('shown', { size: 5n, error: new Error('bad') });
	assert.equal(lines.length, 1);
	const entry = JSON.parse(lines[0] ?? '') as Record<string, string>;
	assert.deepEqual([entry.level, entry.msg, entry.sandbox, entry.size], ['debug', 'shown', 'abc', '5']);
	assert.match(entry.error ?? '', /Error: bad/);
});
