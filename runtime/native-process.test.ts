import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine } from './native-process.ts';

test('a shim tells whose it is on its command line', () => {
	const id = 'a'.repeat(64);
	const argv = ['gantry-shim', 'shim', '--sandbox', id, '--instance', 'demo', ''];
	assert.deepEqual(parseCommandLine(7, argv), {
		pid: 7,
		command: 'shim',
		instance: 'demo',
		sandboxId: id,
	});
	assert.equal(parseCommandLine(7, ['vim', 'gantry-shim']), undefined);
	assert.equal(parseCommandLine(7, ['']), undefined);
});
