import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

test('every relative link of the documents leads to a file', () => {
	const documents = execFileSync('git', ['ls-files', '*.md'], { encoding: 'utf8' }).trim().split('\n');
	const links = documents.flatMap((path) =>
		[...readFileSync(path, 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link = '']) => ({
			path,
			link,
		})),
	);
	assert.ok(links.length > 0);
	const dead = links.filter(({ path, link }) => !existsSync(join(dirname(path), link)));
	assert.deepEqual(dead, []);
});
