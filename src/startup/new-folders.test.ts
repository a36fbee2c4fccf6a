import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { NewFolders } from './new-folders.ts';

let aside: string;
let config: { root: string; state: string; listen: string };
let cases = 0;

before(() => {
	aside = mkdtempSync(join(tmpdir(), 'new-folders-'));
});
after(() => rmSync(aside, { recursive: true, force: true }));
beforeEach(() => {
	const folder = join(aside, `${cases++}`);
	const state = join(folder, 'state');
	config = { root: join(folder, 'data/root'), state, listen: `unix://${join(state, 'gantry.sock')}` };
});

/** As a start makes them before it has the locks. */
function make(): void {
	for (const folder of [config.root, config.state]) {
		mkdirSync(join(folder, 'containers'), { recursive: true });
		writeFileSync(join(folder, 'lock'), '');
	}
}

test('what a start has made and filled goes with it, and what is above', async () => {
	const folders = new NewFolders(config);
	make();
	folders.locked();
	writeFileSync(join(config.root, 'containers/record'), 'x');
	await folders.takeBack();
	assert.ok(!existsSync(join(config.root, '../..')));
});

test('a folder that has had files before the lock is left with all of them', async () => {
	const folders = new NewFolders(config);
	make();
	const theirs = join(config.root, 'containers/record');
	writeFileSync(theirs, 'x');
	folders.locked();
	await folders.takeBack();
	assert.ok(existsSync(theirs));
	assert.ok(!existsSync(config.state));
});

test('a folder that has come in place of ours is left', async () => {
	const folders = new NewFolders(config);
	make();
	folders.locked();
	renameSync(config.root, `${config.root}.away`);
	make();
	await folders.takeBack();
	assert.ok(existsSync(join(config.root, 'lock')));
});

test('without the locks only what is empty goes', async () => {
	const folders = new NewFolders(config);
	make();
	await folders.takeBack();
	assert.ok(existsSync(join(config.root, 'lock')));
	const unmade = new NewFolders({ ...config, root: join(config.root, 'below') });
	mkdirSync(join(config.root, 'below'));
	await unmade.takeBack();
	assert.ok(!existsSync(join(config.root, 'below')));
});
