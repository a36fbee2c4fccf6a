import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takenFromSandbox } from './container-spec.ts';
import { EMPTY_SPEC } from './draft.ts';
import type { ResolvedMount } from './input.ts';
import { sampleContainer } from './sample.ts';
import { withDefaultMounts } from './with-default-mounts.ts';
import { withDevices } from './with-devices.ts';
import { withMounts } from './with-mounts.ts';
import { withPodFiles } from './with-pod-files.ts';

const mount = (
	destination: string,
	options: readonly string[] = ['rbind', 'rprivate', 'rw'],
): ResolvedMount => ({
	destination,
	source: '/host',
	options,
	uidMappings: [],
	gidMappings: [],
});
const user = {
	uids: [{ containerID: 0, hostID: 1000, size: 10 }],
	gids: [{ containerID: 0, hostID: 1000, size: 10 }],
};
const { sandbox } = sampleContainer();

test("default mounts give way to the request's, below /dev to a mount of /dev", () => {
	const destinations = (mounts: readonly ResolvedMount[]): string[] =>
		(withDefaultMounts(EMPTY_SPEC, sampleContainer({ mounts })).mounts ?? []).map(
			({ destination }) => destination,
		);
	assert.deepEqual(destinations([]), [
		'/proc',
		'/dev',
		'/dev/pts',
		'/dev/mqueue',
		'/dev/shm',
		'/sys',
		'/sys/fs/cgroup',
	]);
	assert.ok(!destinations([mount('/sys')]).includes('/sys'));
	assert.deepEqual(destinations([mount('/dev')]), ['/proc', '/sys', '/sys/fs/cgroup']);
});

test('sysfs and cgroups are read-only except for privileged, and bound where they cannot be mounted', () => {
	const sys = (input: Parameters<typeof withDefaultMounts>[1]) =>
		(withDefaultMounts(EMPTY_SPEC, input).mounts ?? []).filter(({ destination }) =>
			destination.startsWith('/sys'),
		);
	for (const { options } of sys(sampleContainer())) assert.ok(options?.includes('ro'));
	for (const { options } of sys(sampleContainer({ privileged: true }))) assert.ok(options?.includes('rw'));
	const namespaces = { ...sandbox.namespaces, hostNetwork: true, user };
	assert.equal(sys(sampleContainer({ sandbox: { ...sandbox, namespaces } }))[0]?.type, 'bind');
});

test("/dev/shm is the sandbox's, the node's, or the request's", () => {
	assert.deepEqual(takenFromSandbox(sampleContainer()).mountsOf, { '/dev/shm': 's1' });
	const hostIpc = { ...sandbox, namespaces: { ...sandbox.namespaces, hostIpc: true } };
	assert.deepEqual(takenFromSandbox(sampleContainer({ sandbox: hostIpc })).mountsOf, {});
	assert.deepEqual(takenFromSandbox(sampleContainer({ mounts: [mount('/dev/shm')] })).mountsOf, {});
});

test('the files of the pod are bound, read-only with a read-only root', () => {
	const files = (change: Parameters<typeof sampleContainer>[0]) =>
		withPodFiles(EMPTY_SPEC, sampleContainer(change)).mounts ?? [];
	assert.deepEqual(
		files({}).map(({ destination, source }) => `${source} ${destination}`),
		['/root/s1/resolv.conf /etc/resolv.conf', '/root/s1/hosts /etc/hosts', '/root/s1/hostname /etc/hostname'],
	);
	assert.ok(files({ security: { readonly_rootfs: true } }).every(({ options }) => options?.includes('ro')));
	assert.equal(files({ mounts: [mount('/etc/hosts')] }).length, 2);
});

test('mounts are sorted so that none hides another; equals keep their order', () => {
	const input = sampleContainer({
		mounts: [mount('/a/b/c'), mount('/a'), mount('/b')],
		volumes: [
			{ destination: '/a/b', source: '/v' },
			{ destination: '/b', source: '/hidden' },
		],
	});
	const { mounts = [] } = withMounts(EMPTY_SPEC, input);
	assert.deepEqual(
		mounts.map(({ destination }) => destination),
		['/a', '/b', '/a/b', '/a/b/c'],
	);
	assert.equal(mounts[1]?.source, '/host', 'the request wins over the volume');
});

test('propagation of a mount needs it of the root', () => {
	const root = (option: string): unknown =>
		withMounts(EMPTY_SPEC, sampleContainer({ mounts: [mount('/a', ['rbind', option])] })).linux
			?.rootfsPropagation;
	assert.equal(root('rprivate'), undefined);
	assert.equal(root('rslave'), 'rslave');
	assert.equal(root('rshared'), 'rshared');
});

test('id mappings of a mount are told only when there are some', () => {
	const maps = { uidMappings: user.uids, gidMappings: user.gids };
	const [plain, mapped] =
		withMounts(EMPTY_SPEC, sampleContainer({ mounts: [mount('/a'), { ...mount('/b'), ...maps }] })).mounts ??
		[];
	assert.ok(!('uidMappings' in (plain ?? {})));
	assert.deepEqual(mapped?.uidMappings, user.uids);
});

const device = {
	type: 'c',
	path: '/dev/x',
	hostPath: '/dev/y',
	major: 1,
	minor: 2,
	fileMode: 0o600,
	uid: 0,
	gid: 0,
	access: 'rw',
} as const;

test('all devices are forbidden except those of the request; privileged may use all', () => {
	const spec = withDevices(EMPTY_SPEC, sampleContainer({ devices: [device] }));
	assert.deepEqual(spec.linux?.resources?.devices, [
		{ allow: false, type: 'a', access: 'rwm' },
		{ allow: true, type: 'c', major: 1, minor: 2, access: 'rw' },
	]);
	assert.deepEqual(spec.linux?.devices, [
		{ type: 'c', path: '/dev/x', major: 1, minor: 2, fileMode: 0o600, uid: 0, gid: 0 },
	]);
	const all = withDevices(EMPTY_SPEC, sampleContainer({ privileged: true })).linux?.resources?.devices;
	assert.deepEqual(all, [{ allow: true, type: 'a', access: 'rwm' }]);
});

test("in a user namespace the node's device is bound, since it cannot be made", () => {
	const namespaces = { ...sandbox.namespaces, user };
	const spec = withDevices(
		EMPTY_SPEC,
		sampleContainer({ devices: [device], sandbox: { ...sandbox, namespaces } }),
	);
	assert.deepEqual(
		[spec.linux?.devices, spec.mounts?.[0]?.source, spec.mounts?.[0]?.destination],
		[undefined, '/dev/y', '/dev/x'],
	);
});
