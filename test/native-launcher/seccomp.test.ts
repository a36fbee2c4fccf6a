import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { simplifyFilter } from '../../runtime/seccomp/simplify.ts';
import type { Message, Struct } from '../../runtime/shim/codec.ts';
import { buildProbe, refused, TestLauncher, temporaryFolder } from './launcher.ts';

const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const KILL_PROCESS = 0x80000000;
const EQ = 4;
const MASKED_EQ = 7;
const ARCH = {
	x64: { native: 0xc000003e, compat: 0x40000003 },
	arm64: { native: 0xc00000b7, compat: 0x40000028 },
}[process.arch as 'x64' | 'arm64'];
const NUMBER = {
	x64: { getpid: 39, getuid: 102, personality: 135, umask: 95, exit_group: 231 },
	arm64: { getpid: 172, getuid: 174, personality: 92, umask: 166, exit_group: 94 },
}[process.arch as 'x64' | 'arm64'];

const rule = (syscalls: string[], rest: Partial<Struct<'seccomp_rule'>> = {}): Struct<'seccomp_rule'> => ({
	action: ALLOW,
	errno_ret: 0,
	syscalls,
	args: [],
	...rest,
});
const arg = (index: number, op: number, value: bigint, value_two = 0n): Struct<'seccomp_arg'> => ({
	index,
	op,
	value,
	value_two,
});
const profile = (rest: Partial<Message<'SECCOMP'>>): Message<'SECCOMP'> => ({
	default_action: ERRNO,
	default_errno: 1,
	arches: [ARCH.native],
	rules: [],
	...rest,
});
/** What the probe itself needs. */
const NEEDED = ['write', 'exit_group', 'exit', 'brk', 'rt_sigreturn'];

/**
 * Compiles the profile, runs the calls under it, and gives their results (negative: errno). They are the same when
 * its filter is simplified.
 */
async function under(body: Message<'SECCOMP'>, ...calls: string[]): Promise<number[]> {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const probe = buildProbe(folder.path);
	const run = (filter: Uint8Array) => {
		writeFileSync(join(folder.path, 'filter'), filter);
		return probe('seccomp', join(folder.path, 'filter'), ...calls)
			.split(' ')
			.map(Number);
	};
	const program = Buffer.from((await launcher.ask('SECCOMP', body, 'FILTER')).program);
	const [results, simplified] = [run(program), run(await simplifyFilter(program))];
	assert.deepEqual(simplified, results);
	return results;
}

test('what a list allows works, the rest gets its errno, and what is newer than the list gets ENOSYS', async () => {
	const results = await under(
		profile({ rules: [rule([...NEEDED, 'getuid', 'clone3', 'no_such_call'])] }),
		`${NUMBER.getuid}`,
		`${NUMBER.getpid}`,
		'435,0',
		'436',
		'470',
		'9999',
	);
	// clone3 (435) is the newest that the list names: it is carried out (and fails on its own), 436 and later are unknown.
	assert.deepEqual([results[0], results[1], results[3], results[4], results[5]], [0, -1, -38, -38, -38]);
	assert.ok(results[2] !== -38 && results[2] !== -1, `clone3 answered ${results[2]}`);
});

test('an errno of its own for a rule, and a default of its own for all others', async () => {
	const rules = [
		rule(NEEDED),
		rule(['getpid'], { action: ERRNO, errno_ret: 13 }),
		rule(['clone3'], { action: ERRNO, errno_ret: 5 }),
	];
	const results = await under(
		profile({ default_errno: 110, rules }),
		`${NUMBER.getpid}`,
		`${NUMBER.getuid}`,
		'435',
		'440',
	);
	assert.deepEqual(results, [-13, -110, -5, -38]);
});

test('a profile that allows by default refuses only what it lists', async () => {
	const body = profile({
		default_action: ALLOW,
		rules: [rule(['getpid'], { action: ERRNO, errno_ret: 13 })],
	});
	const results = await under(body, `${NUMBER.getpid}`, `${NUMBER.getuid}`, '9999');
	assert.deepEqual(results, [-13, 0, -38]);
});

test('a call that is to end its process does', async () => {
	const rules = [rule(['getpid'], { action: KILL_PROCESS })];
	const body = profile({ default_action: ALLOW, rules });
	assert.deepEqual(await under(body, `${NUMBER.getuid}`), [0]);
	await assert.rejects(under(body, `${NUMBER.getpid}`), { signal: 'SIGSYS' });
});

test('argument conditions: equal, masked, and several on one argument of which any is enough', async () => {
	const rules = [
		rule(NEEDED),
		rule(['personality'], { args: [arg(0, EQ, 0xffffffffn)] }),
		rule(['umask'], { args: [arg(0, MASKED_EQ, 0o77n, 0o22n)] }),
	];
	const results = await under(
		profile({ rules }),
		`${NUMBER.personality},0xffffffff`,
		`${NUMBER.personality},8`,
		`${NUMBER.umask},0o22`.replace('0o', '0'),
		`${NUMBER.umask},077`,
	);
	assert.ok((results[0] ?? -1) >= 0 && (results[2] ?? -1) >= 0);
	assert.deepEqual([results[1], results[3]], [-1, -1]);

	const any = [rule(NEEDED), rule(['personality'], { args: [arg(0, EQ, 0xffffffffn), arg(0, EQ, 0n)] })];
	const either = await under(
		profile({ rules: any }),
		`${NUMBER.personality},0xffffffff`,
		`${NUMBER.personality},0`,
		`${NUMBER.personality},8`,
	);
	assert.deepEqual([either[0], either[1], either[2]], [0, 0, -1]);
});

test('a filter for several architectures compiles and works', async () => {
	const rules = [rule([...NEEDED, 'getuid', 'socket', 'clone3'])];
	const results = await under(
		profile({ arches: [ARCH.native, ARCH.compat], rules }),
		`${NUMBER.getuid}`,
		'500',
	);
	assert.deepEqual(results, [0, -38]);
});

test('what libseccomp cannot do is refused with the reason', async () => {
	await using launcher = await TestLauncher.start();
	const compile = (body: Partial<Message<'SECCOMP'>>) => launcher.ask('SECCOMP', profile(body), 'FILTER');
	await assert.rejects(compile({ default_action: 0x12340000 }), refused(22, '0x12340000'));
	await assert.rejects(compile({ arches: [12345] }), refused(22, '0x00003039'));
	await assert.rejects(
		compile({ rules: [rule(['read'], { action: 0x12340000 })] }),
		refused(22, '0x12340000'),
	);
	await assert.rejects(
		compile({ rules: [rule(['read'], { args: [arg(6, EQ, 0n)] })] }),
		refused(22, 'argument 6'),
	);
	await assert.rejects(compile({ rules: [rule(['read'], { args: [arg(0, 99, 0n)] })] }), refused(22, '99'));
});
