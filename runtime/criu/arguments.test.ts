import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dumpArguments, restoreArguments } from './arguments.ts';

const surroundings = {
	mounts: ['/dev', '/proc/keys'],
	stdin: 'file[2c:3]',
	stdout: 'pipe:[1]',
	stderr: '',
};

/** The values of an option, in their order. */
const valuesOf = (argv: readonly string[], option: string) =>
	argv.flatMap((word, index) => (word === option ? [argv[index + 1]] : []));

test('saving names what is ours, and leaves everything running', () => {
	const argv = dumpArguments({
		criu: '/criu',
		pid: 7,
		images: '/i',
		work: '/w',
		freezer: '/f',
		surroundings,
	});
	assert.deepEqual(argv.slice(0, 4), ['/criu', 'dump', '--tree', '7']);
	assert.ok(argv.includes('--leave-running'));
	assert.deepEqual(valuesOf(argv, '--external'), [
		'file[2c:3]',
		'mnt[/dev]:/dev',
		'mnt[/proc/keys]:/proc/keys',
	]);
});

test('restoring finds the mounts by their number, and the streams at their descriptor', () => {
	const argv = restoreArguments({
		criu: '/criu',
		images: '/i',
		work: '/w',
		pidFile: '/p',
		root: '/r',
		mounts: '/m',
		surroundings,
	});
	assert.deepEqual(valuesOf(argv, '--external'), ['mnt[/dev]:/m/0', 'mnt[/proc/keys]:/m/1']);
	assert.deepEqual(valuesOf(argv, '--inherit-fd'), ['fd[0]:file[2c:3]', 'fd[1]:pipe:[1]']);
	for (const option of ['--restore-sibling', '--restore-detached', '--leave-stopped'])
		assert.ok(argv.includes(option), option);
});
