import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerMetadata as CriMetadata, Mount, UserNamespace } from '#cri-api';
import type { PodNamespaces } from '../spec/input.ts';
import { SAMPLE_RESOURCES } from '../spec/sample.ts';
import { CappedOutput } from './capped-output.ts';
import { containerArgs } from './command.ts';
import { deviceNumber } from './devices.ts';
import { logPathOf } from './log-path.ts';
import { checkContainerMetadata, containerName } from './metadata.ts';
import { checkMounts } from './mounts.ts';
import { pidNamespace } from './pid-namespace.ts';
import { appArmorChoice } from './profile-choice.ts';
import { seccompProfile } from './security-profile.ts';
import { criSignal, signalNumber, stopSignalOf } from './stop-signal.ts';
import { merged } from './update-resources.ts';

test('command replaces entrypoint and command of the image, args replace its command', () => {
	const image = { entrypoint: ['entry'], command: ['cmd'] };
	assert.deepEqual(containerArgs({ command: [], args: [] }, image), ['entry', 'cmd']);
	assert.deepEqual(containerArgs({ command: [], args: ['a'] }, image), ['entry', 'a']);
	assert.deepEqual(containerArgs({ command: ['c'], args: [] }, image), ['c']);
	assert.deepEqual(containerArgs({ command: ['c'], args: ['a'] }, image), ['c', 'a']);
	assert.throws(() => containerArgs({ command: [], args: [] }, { entrypoint: [], command: [] }), {
		condition: 'INVALID_ARGUMENT',
	});
});

test("a log path lies below the pod's folder", () => {
	assert.equal(logPathOf('/logs/pod', 'web/0.log'), '/logs/pod/web/0.log');
	assert.equal(logPathOf('/logs/pod/', './a/../b.log'), '/logs/pod/b.log');
	assert.equal(logPathOf('/logs', ''), '');
	assert.equal(logPathOf('', 'x.log'), '');
	for (const path of ['/x', '..', '../pod2/x', 'a/../../x', '.', 'a/', 'a\0b']) {
		assert.throws(() => logPathOf('/logs/pod', path), { condition: 'INVALID_ARGUMENT' }, path);
	}
});

test("stop signals: the request's, the image's in every spelling, SIGTERM", () => {
	assert.equal(stopSignalOf('SIGNAL_RUNTIME_DEFAULT', ''), 'SIGTERM');
	assert.equal(stopSignalOf('SIGNAL_SIGUSR1', 'SIGQUIT'), 'SIGUSR1');
	for (const text of ['3', 'QUIT', 'sigquit', 'SIGQUIT'])
		assert.equal(stopSignalOf('SIGNAL_RUNTIME_DEFAULT', text), 'SIGQUIT');
	for (const text of ['37', 'RTMIN+3', 'SIGRTMINPLUS3'])
		assert.equal(stopSignalOf('SIGNAL_RUNTIME_DEFAULT', text), 'SIGRTMINPLUS3');
	assert.equal(stopSignalOf('SIGNAL_SIGRTMAXMINUS2', ''), 'SIGRTMAXMINUS2');
	assert.deepEqual(
		[signalNumber('SIGTERM'), signalNumber('SIGRTMIN'), signalNumber('SIGRTMAX'), signalNumber('SIGCLD')],
		[15, 34, 64, 17],
	);
	assert.equal(criSignal('SIGRTMINPLUS3'), 'SIGNAL_SIGRTMINPLUS3');
	for (const text of ['0', '99', 'NOSUCH', 'RTMIN+90']) {
		assert.throws(
			() => stopSignalOf('SIGNAL_RUNTIME_DEFAULT', text),
			{ condition: 'INVALID_ARGUMENT' },
			text,
		);
	}
});

test('process namespaces', () => {
	const namespaces = { hostNetwork: false, hostIpc: false, hostPid: false, user: undefined };
	const context = { sandboxId: 's', namespaces, target: (id: string) => `found ${id}` };
	const options = { network: 'POD', ipc: 'POD', pid: 'POD', target_id: '', userns_options: null } as const;
	assert.deepEqual(pidNamespace(null, context), { mode: 'join', of: 's' });
	assert.deepEqual(pidNamespace({ ...options, pid: 'CONTAINER' }, context), { mode: 'own' });
	assert.deepEqual(pidNamespace({ ...options, pid: 'NODE' }, context), { mode: 'node' });
	assert.deepEqual(pidNamespace({ ...options, pid: 'TARGET', target_id: 'x' }, context), {
		mode: 'join',
		of: 'found x',
	});
	const onNode = { ...context, namespaces: { ...namespaces, hostPid: true, hostNetwork: true } };
	assert.deepEqual(pidNamespace(null, onNode), { mode: 'node' });
	assert.deepEqual(pidNamespace({ ...options, network: 'NODE' }, onNode), { mode: 'node' });
	assert.throws(() => pidNamespace({ ...options, network: 'NODE' }, context), {
		condition: 'INVALID_ARGUMENT',
	});
	assert.throws(() => pidNamespace({ ...options, target_id: 'x' }, context), {
		condition: 'INVALID_ARGUMENT',
	});
});

test("a container's user namespace is the pod's", () => {
	const own = { hostNetwork: false, hostIpc: false, hostPid: false, user: undefined };
	const map = { host_id: 1000, container_id: 0, length: 5 };
	const maps = [{ containerID: 0, hostID: 1000, size: 5 }];
	const ask = (userns_options: UserNamespace | null, user: PodNamespaces['user']) =>
		pidNamespace(
			{ network: 'POD', ipc: 'POD', pid: 'POD', target_id: '', userns_options },
			{ sandboxId: 's', namespaces: { ...own, user }, target: (id) => id },
		);
	const pod = { uids: maps, gids: maps };
	const joined = { mode: 'join', of: 's' };
	for (const user of [pod, undefined])
		for (const nothing of [null, { mode: 'POD', uids: [], gids: [] } as const])
			assert.deepEqual(ask(nothing, user), joined);
	assert.deepEqual(ask({ mode: 'POD', uids: [map], gids: [map] }, pod), joined);
	assert.deepEqual(ask({ mode: 'NODE', uids: [], gids: [] }, undefined), joined);
	const refused = { condition: 'INVALID_ARGUMENT' };
	assert.throws(() => ask({ mode: 'NODE', uids: [], gids: [] }, pod), refused);
	assert.throws(() => ask({ mode: 'POD', uids: [map], gids: [map] }, undefined), refused);
	assert.throws(() => ask({ mode: 'POD', uids: [map], gids: [{ ...map, length: 6 }] }, pod), refused);
});

const MOUNT: Mount = {
	container_path: '/data',
	host_path: '/srv/data',
	readonly: false,
	selinux_relabel: false,
	propagation: 'PROPAGATION_PRIVATE',
	uidMappings: [],
	gidMappings: [],
	recursive_read_only: false,
	image: null,
	image_sub_path: '',
	mount_options: [],
};
const FEATURES = {
	recursiveReadOnlyMounts: true,
	userNamespaces: true,
	idmappedMounts: true,
	kernel: '6.8.0',
};

test('a volume is not relabelled: refused for a container with a label', () => {
	const mount: Mount = { ...MOUNT, selinux_relabel: true };
	checkMounts([mount], false, FEATURES);
	assert.throws(() => checkMounts([mount], true, FEATURES), {
		condition: 'UNIMPLEMENTED',
		message: /mounts\[0\]\.selinux_relabel.*\/srv\/data/,
	});
});

test('what the kernel cannot do with a mount is told in the words that kubelets look for', () => {
	const old = { ...FEATURES, recursiveReadOnlyMounts: false, idmappedMounts: false, kernel: '5.10.0' };
	const mount: Mount = { ...MOUNT, readonly: true };
	const refused = (change: Partial<Mount>, message: RegExp) =>
		assert.throws(() => checkMounts([{ ...mount, ...change }], false, old), {
			condition: 'FAILED_PRECONDITION',
			message,
		});
	checkMounts([mount], false, old);
	refused({ recursive_read_only: true }, /^RROUnsupported: mounts\[0\]\.recursive_read_only.*5\.10\.0/);
	const map = [{ host_id: 5, container_id: 0, length: 1 }];
	refused({ uidMappings: map, gidMappings: map }, /cannot idmap mounts/);
});

test('an update adds to the limits in force, for huge pages by their size', () => {
	const change = { ...SAMPLE_RESOURCES, hugepage_limits: [{ page_size: '2MB', limit: '4' }] };
	const before = {
		cpu_shares: '512',
		hugepage_limits: [
			{ page_size: '1GB', limit: '1' },
			{ page_size: '2MB', limit: '2' },
		],
	};
	const { cpu_shares, hugepage_limits } = merged(before, change);
	assert.equal(cpu_shares, '512');
	assert.deepEqual(hugepage_limits, [
		{ page_size: '1GB', limit: '1' },
		{ page_size: '2MB', limit: '4' },
	]);
});

test('AppArmor profiles are chosen by the field, or else by the deprecated one', () => {
	const local = (localhost_ref: string) => ({ profile_type: 'Localhost', localhost_ref }) as const;
	const mine = { kind: 'localhost', ref: 'mine' };
	assert.deepEqual(appArmorChoice(local('mine'), 'unconfined'), mine);
	assert.deepEqual(appArmorChoice(local('localhost/mine'), ''), mine);
	assert.deepEqual(appArmorChoice(null, 'localhost/mine'), mine);
	assert.deepEqual(appArmorChoice(null, 'runtime/default'), { kind: 'default' });
	assert.equal(appArmorChoice(null, ''), undefined);
	for (const ref of ['', 'localhost/', 'a\nb', 'x'.repeat(2000)])
		assert.throws(() => appArmorChoice(local(ref)), { condition: 'INVALID_ARGUMENT' }, ref);
});

test('seccomp: unconfined is no profile; unknown and missing ones are named', async () => {
	const options = { defaultPath: '/no/default.json', capabilities: [] };
	assert.equal(
		await seccompProfile({ profile_type: 'Unconfined', localhost_ref: '' }, '', options),
		undefined,
	);
	assert.equal(await seccompProfile(null, 'unconfined', options), undefined);
	assert.equal(await seccompProfile(null, '', options), undefined);
	const runtimeDefault = seccompProfile({ profile_type: 'RuntimeDefault', localhost_ref: '' }, '', options);
	await assert.rejects(runtimeDefault, /\/no\/default\.json/);
	await assert.rejects(seccompProfile(null, 'localhost//no/own.json', options), /\/no\/own\.json/);
	await assert.rejects(seccompProfile(null, 'strange', options), { condition: 'INVALID_ARGUMENT' });
	await assert.rejects(seccompProfile({ profile_type: 'Localhost', localhost_ref: '' }, '', options), {
		condition: 'INVALID_ARGUMENT',
	});
});

test('output beyond the limit is dropped', () => {
	const output = new CappedOutput(5);
	for (const text of ['abc', 'def', 'ghi']) output.add(Buffer.from(text));
	assert.equal(String(output.bytes()), 'abcde');
});

test('device numbers as glibc packs them', () => {
	assert.deepEqual(deviceNumber(0x103), { major: 1, minor: 3 });
	// makedev(0x12678, 0xabc9a)
	const packed = (0x12n << 44n) | (0xabcn << 20n) | (0x678n << 8n) | 0x9an;
	assert.deepEqual(deviceNumber(Number(packed)), { major: 0x12678, minor: 0xabc9a });
});

test('names of containers', () => {
	const metadata: CriMetadata = { name: 'web', attempt: 2 };
	assert.equal(containerName('s', checkContainerMetadata(metadata)), 's/web/2');
});
