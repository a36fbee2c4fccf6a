import assert from 'node:assert/strict';
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog } from '#base/log.ts';
import type { Daemon } from '../server/types.ts';
import { publish } from './destination.ts';
import { inTemporary } from './interrupted.ts';

test('an earlier checkpoint that cannot be put back is not removed, and the answer says where it is', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-interrupted-'));
	t.after(() => rmSync(folder, { recursive: true }));
	const path = join(folder, 'saved');
	const temporary = `${path}.01234567.tmp`;
	const content = join(temporary, 'content');
	const destination = { path, isFolder: true, replaces: false, temporary, content };
	const lines: string[] = [];
	const launcher = { removeTree: async (tree: string) => rmSync(tree, { recursive: true }) };
	const log = createLog('warn', (line) => lines.push(line));
	const daemon = { launcher, log } as unknown as Daemon;
	const replaced = join(temporary, 'replaced');
	const saving = (spoil: () => void) =>
		inTemporary(daemon, {
			field: 'location',
			destination,
			containers: [],
			work: async () => {
				mkdirSync(replaced);
				writeFileSync(join(replaced, 'file'), 'earlier');
				spoil();
				await publish(destination, content);
			},
		});
	// No folder takes the place of a link.
	const where = /Cannot put the checkpoint at .*saved: ENOTDIR; The earlier .* put back from .*replaced/;
	await assert.rejects(
		saving(() => symlinkSync('/nowhere', path)),
		where,
	);
	assert.equal(readFileSync(join(replaced, 'file'), 'utf8'), 'earlier');
	assert.equal(lines.length, 1);
	for (const left of [path, temporary]) rmSync(left, { recursive: true });
	// Nothing to publish: the earlier one is back, and nothing else is left.
	await assert.rejects(
		saving(() => rmSync(content, { recursive: true })),
		/saved: ENOENT$/,
	);
	assert.deepEqual(readdirSync(folder), ['saved']);
	assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'earlier');
});
