import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkProcess, identify, startTimeOf } from './process-identity.ts';

test('a name with brackets and spaces does not confuse', () => {
	const rest = Array.from({ length: 40 }, (_, index) => index + 4).join(' ');
	assert.equal(startTimeOf(`7 (a) b (c) S ${rest}`), 22n);
	assert.equal(startTimeOf(`7 (zombie) Z ${rest}`), undefined);
	assert.equal(startTimeOf(`7 (damaged) S ${rest.replaceAll('2', 'x')}`), undefined);
});

test('we live; the same pid with another start time does not', async () => {
	const self = await identify(process.pid);
	assert.ok(self !== undefined);
	assert.equal(await checkProcess(self), true);
	assert.equal(await checkProcess({ ...self, startTime: self.startTime + 1n }), false);
	assert.equal(await checkProcess({ pid: 2 ** 22 + 1, startTime: 1n }), false);
});
