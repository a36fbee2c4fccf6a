import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failedPrecondition, invalidArgument, notFound, permissionDenied } from '#base/errors.ts';
import { describeError, exitCodeOfProgramError } from './exit-codes.ts';

test('a program that cannot be started has the exit code that a shell gives it', () => {
	const head = 'Cannot execute a process in container c1: exec:';
	for (const [error, code] of [
		[notFound(`${head} "nosuch": executable file not found in $PATH`), 127],
		[
			invalidArgument(`${head} "/no": stat /no: no such file or directory (or its interpreter is missing)`),
			127,
		],
		[permissionDenied(`${head} "/etc/passwd": permission denied`), 126],
		[failedPrecondition(`${head} "/a \\"b\\"": exec format error`), 126],
		[notFound('No container c1'), undefined],
		[failedPrecondition('Cannot execute a process in container c1: it is exited'), undefined],
	] as const)
		assert.equal(exitCodeOfProgramError(error), code, error.message);
});

test('what the machine refuses is no bug of the command', () => {
	const denied = Object.assign(new Error("EACCES: permission denied, mkdir '/x'"), { code: 'EACCES' });
	assert.equal(
		describeError(denied, false),
		"gantry: EACCES: permission denied, mkdir '/x'; run the command as root\n",
	);
	assert.match(
		describeError(new TypeError('x is not a function'), false),
		/^gantry: a bug: TypeError: .*\n +at /,
	);
});
