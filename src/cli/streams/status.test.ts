import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitStatus, failureStatus } from '../../streaming/remote-command/status.ts';
import { readStatus } from './status.ts';

const written = (status: object): string => JSON.stringify(status);

test('exit codes as the streaming server tells them', () => {
	for (const exitCode of [0, 1, 137])
		assert.deepEqual(readStatus(written(exitStatus(exitCode))), { kind: 'ended', exitCode });
});

test('what was no exit is an error, in the words of the server', () => {
	const failed = failureStatus('error executing command in container: Cannot find /no: ENOENT');
	assert.throws(() => readStatus(written(failed)), {
		condition: 'FAILED_PRECONDITION',
		message: 'Cannot find /no: ENOENT',
	});
	const strange = {
		status: 'Failure',
		reason: 'NonZeroExitCode',
		details: { causes: [] },
		message: 'strange',
	};
	assert.throws(() => readStatus(written(strange)), { message: 'strange' });
});

test('what is no Status is told as it is', () => {
	assert.throws(() => readStatus('gone'), {
		condition: 'INTERNAL',
		message: /in words that are no Status: gone$/,
	});
});
