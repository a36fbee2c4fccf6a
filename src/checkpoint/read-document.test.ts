import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readDocument } from './read-document.ts';

test('documents are regular files of a size that documents have', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-document-'));
	t.after(() => rmSync(folder, { recursive: true }));
	const place = (name: string) => join(folder, name);
	writeFileSync(place('good'), '{}');
	assert.equal(await readDocument(place('good')), '{}');
	execFileSync('mkfifo', [place('pipe')]);
	await assert.rejects(readDocument(place('pipe')), /no regular file/);
	symlinkSync('good', place('link'));
	await assert.rejects(readDocument(place('link')), { code: 'ELOOP' });
	truncateSync(place('good'), 2 ** 30);
	await assert.rejects(readDocument(place('good')), /1073741824 bytes, more than/);
});
