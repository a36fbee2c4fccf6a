import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Launcher, ProgramResult } from '#runtime';
import { Deadline } from './deadline.ts';
import { restoreRootDiff, saveRootDiff } from './root-diff.ts';

const deadline = () => new Deadline('save it', 0n, { runtime: { checkpointTimeoutSeconds: 60 } });

/** Runs programs itself; notes which files are made. */
const launcher = {
	deleted: [] as string[],
	async run({ argv: [program = '', ...args] }: Parameters<Launcher['run']>[0]): Promise<ProgramResult> {
		const { status, stdout, stderr } = spawnSync(program, args);
		return { exitCode: status ?? 1, signal: 0, timedOut: false, truncated: false, stdout, stderr };
	},
	async applyFiles(_root: string, ops: Parameters<Launcher['applyFiles']>[1]) {
		this.deleted = ops.map(({ path }) => path);
	},
} as Pick<Launcher, 'run' | 'applyFiles'> & { deleted: string[] };

const strange = (name: string) => Buffer.concat([Buffer.from(`${name}/`), Buffer.from([0x66, 0xff])]);

test('files come back whatever their names: not UTF-8, with newlines, quotes and wildcards', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-root-diff-'));
	t.after(() => rmSync(folder, { recursive: true }));
	const place = (name: string) => join(folder, name);
	const [upper, saved, scratch, again] = [place('upper'), place('saved'), place('scratch'), place('again')];
	for (const path of [upper, saved, scratch]) mkdirSync(path);
	mkdirSync(`${upper}/-a\nb`);
	for (const name of ['-a\nb/c\\n*', '*', 'gone']) writeFileSync(join(upper, name), name);
	writeFileSync(strange(upper), 'strange');
	for (const name of ['x\ny', 'gone\ngone']) execFileSync('mknod', [`${upper}/${name}`, 'c', '0', '0']);
	await saveRootDiff(launcher, { upper, folder: saved, scratch }, deadline());
	assert.deepEqual(readdirSync(scratch), []);
	await restoreRootDiff(launcher, { upper: again, folder: saved }, deadline());
	assert.equal(readFileSync(`${again}/-a\nb/c\\n*`, 'utf8'), '-a\nb/c\\n*');
	assert.equal(readFileSync(`${again}/*`, 'utf8'), '*');
	assert.equal(readFileSync(`${again}/gone`, 'utf8'), 'gone');
	assert.equal(readFileSync(strange(again), 'utf8'), 'strange');
	assert.equal(existsSync(`${again}/x\ny`), false);
	assert.deepEqual(launcher.deleted.toSorted(), ['gone\ngone', 'x\ny']);
});
