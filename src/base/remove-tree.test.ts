import assert from 'node:assert/strict';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeTree } from './remove-tree.ts';

test('a folder goes with all that is in it, so does a file, links are not followed, nothing is as good', () => {
	const aside = mkdtempSync(join(tmpdir(), 'remove-tree-'));
	try {
		const [folder, file, link] = ['folder', 'file', 'link'].map((name) => join(aside, name)) as [
			string,
			string,
			string,
		];
		mkdirSync(join(folder, 'a/b'), { recursive: true });
		writeFileSync(join(folder, 'a/b/file'), '');
		writeFileSync(join(aside, 'kept'), 'kept');
		symlinkSync(aside, join(folder, 'a/link'));
		writeFileSync(file, '');
		symlinkSync(aside, link);
		for (const path of [folder, file, link, folder]) removeTree(path);
		assert.deepEqual([folder, file, link].filter(existsSync), []);
		assert.equal(readFileSync(join(aside, 'kept'), 'utf8'), 'kept');
	} finally {
		rmSync(aside, { recursive: true });
	}
});
