import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { seccompRequest } from './compile.ts';
import { loadSeccompProfile } from './profile.ts';

const DEFAULT = readFileSync(new URL('../../conf/seccomp.json', import.meta.url), 'utf8');
const conditions = { capabilities: [] as string[], arch: 'x64', kernel: '6.1.0-13-amd64' };

/** What the profile does with a call that has no condition on its arguments. */
function action(name: string, capabilities: string[] = [], arch = 'x64'): string {
	const profile = loadSeccompProfile(DEFAULT, { ...conditions, capabilities, arch });
	const rule = profile.syscalls?.find(({ names, args }) => names.includes(name) && !args?.length);
	return rule === undefined ? profile.defaultAction : `${rule.action}${rule.errnoRet ?? ''}`;
}

test('the default profile compiles for every processor that it names', () => {
	for (const arch of ['x64', 'arm64', 's390x', 'ppc64', 'riscv64', 'loong64']) {
		const profile = loadSeccompProfile(DEFAULT, { ...conditions, arch });
		assert.ok((profile.architectures?.length ?? 0) >= 1, arch);
		assert.ok(seccompRequest(profile).rules.length > 10);
	}
});

test('what everybody needs is allowed, what reaches the machine is not', () => {
	for (const name of [
		'read',
		'openat2',
		'execve',
		'futex_waitv',
		'close_range',
		'statx',
		'prctl',
		'capset',
		'rseq',
	]) {
		assert.equal(action(name), 'SCMP_ACT_ALLOW', name);
	}
	for (const name of [
		'mount',
		'bpf',
		'io_uring_setup',
		'io_uring_enter',
		'kexec_load',
		'init_module',
		'keyctl',
		'unshare',
		'setns',
		'userfaultfd',
		'reboot',
	]) {
		assert.equal(action(name), 'SCMP_ACT_ERRNO', name);
	}
});

test('capabilities open what they stand for', () => {
	assert.equal(action('mount', ['CAP_SYS_ADMIN']), 'SCMP_ACT_ALLOW');
	assert.equal(action('clone'), 'SCMP_ACT_ERRNO');
	assert.equal(action('clone', ['CAP_SYS_ADMIN']), 'SCMP_ACT_ALLOW');
	assert.equal(action('clone3'), 'SCMP_ACT_ERRNO38');
	assert.equal(action('clone3', ['CAP_SYS_ADMIN']), 'SCMP_ACT_ALLOW');
	assert.equal(action('io_uring_setup', ['CAP_SYS_ADMIN']), 'SCMP_ACT_ERRNO');
	assert.equal(action('arch_prctl'), 'SCMP_ACT_ALLOW');
	assert.equal(action('arch_prctl', [], 'arm64'), 'SCMP_ACT_ERRNO');
});

test('arguments: no new namespaces by clone, no AF_VSOCK', () => {
	const profile = loadSeccompProfile(DEFAULT, conditions);
	const conditional = (name: string) =>
		profile.syscalls?.filter(({ names, args }) => names.includes(name) && args?.length);
	assert.deepEqual(
		conditional('clone')?.map(({ args }) => args),
		[[{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]],
	);
	assert.deepEqual(
		conditional('socket')?.map(({ args }) => args),
		[[{ index: 0, value: 40, op: 'SCMP_CMP_NE' }]],
	);
	assert.equal(conditional('personality')?.length, 5);
});

test('conditions on the kernel, and both ways to name a call', () => {
	const json = JSON.stringify({
		defaultAction: 'SCMP_ACT_ERRNO',
		syscalls: [
			{ name: 'old', action: 'SCMP_ACT_ALLOW', args: null, includes: { minKernel: '4.8' }, excludes: {} },
			{ names: ['new'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '6.2' } },
			{ names: ['gone'], action: 'SCMP_ACT_ALLOW', excludes: { minKernel: '5.15' } },
		],
	});
	assert.deepEqual(
		loadSeccompProfile(json, conditions).syscalls?.flatMap(({ names }) => names),
		['old'],
	);
});

for (const [what, json, message] of [
	['no JSON', '{', /Invalid seccomp profile/],
	[
		'an unknown field',
		'{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x"}',
		/listenerPath: not supported/,
	],
	['a wrong type', '{"defaultAction":1}', /defaultAction/],
	[
		'a number whose last digits JSON loses',
		'{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"x","action":"SCMP_ACT_LOG","args":[{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}',
		/syscalls\[0\]\.args\[0\]\.value: expected a whole number up to 2\^53/,
	],
] as const) {
	test(`refused: ${what}`, () => {
		assert.throws(() => loadSeccompProfile(json, conditions), { condition: 'INVALID_ARGUMENT', message });
	});
}

test('compiling refuses what the kernel does not know, by field', () => {
	for (const defaultAction of ['SCMP_ACT_SHRUG', 'constructor'])
		assert.throws(() => seccompRequest({ defaultAction }), {
			condition: 'INVALID_ARGUMENT',
			message: /defaultAction/,
		});
	assert.throws(() => seccompRequest({ defaultAction: 'SCMP_ACT_NOTIFY' }), { condition: 'UNIMPLEMENTED' });
	assert.throws(
		() =>
			seccompRequest({
				defaultAction: 'SCMP_ACT_ALLOW',
				syscalls: [{ names: ['x'], action: 'SCMP_ACT_LOG', args: [{ index: 0, value: 1, op: 'X' }] }],
			}),
		/syscalls\[0\]\.args\[0\]\.op/,
	);
});
