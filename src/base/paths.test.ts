import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWithin } from './paths.ts';

test('a folder has itself and what is below it, not what only begins alike', () => {
	for (const [path, folder] of [
		['/run/gantry', '/run/gantry'],
		['/run/gantry/a/b', '/run/gantry'],
		['/', '/'],
		['/run', '/'],
	] as const)
		assert.ok(isWithin(path, folder), `${path} in ${folder}`);
	for (const [path, folder] of [
		['/run/gantry2', '/run/gantry'],
		['/run', '/run/gantry'],
		['/', '/run'],
	] as const)
		assert.ok(!isWithin(path, folder), `${path} in ${folder}`);
});
