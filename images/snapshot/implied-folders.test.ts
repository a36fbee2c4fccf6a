import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { impliedFolderOps } from './implied-folders.ts';

const folder = mkdtempSync(join(tmpdir(), 'images-implied-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('attributes come from the topmost layer below that has the folder; no symlink is followed', async () => {
	const [top, bottom] = [join(folder, 'top'), join(folder, 'bottom')];
	for (const path of [
		'top',
		'top/b',
		'bottom',
		'bottom/a',
		'bottom/b',
		'bottom/hidden',
		'bottom/hidden/deep',
		'elsewhere',
		'elsewhere/x',
	])
		mkdirSync(join(folder, path));
	chmodSync(join(bottom, 'a'), 0o1777);
	chmodSync(join(bottom, 'b'), 0o700);
	chmodSync(join(top, 'b'), 0o711);
	symlinkSync('../elsewhere', join(bottom, 'link'));
	writeFileSync(join(top, 'hidden'), '');
	const ops = await impliedFolderOps(
		['.', 'a', 'b', 'hidden', 'hidden/deep', 'link', 'link/x', 'none'],
		[top, bottom],
	);
	assert.deepEqual(
		ops.map(({ path, mode }) => [path, mode.toString(8)]),
		[
			['.', '755'],
			['a', '1777'],
			['b', '711'],
		],
	);
});
