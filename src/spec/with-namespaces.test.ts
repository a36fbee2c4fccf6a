import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerSpec } from './container-spec.ts';
import { EMPTY_SPEC } from './draft.ts';
import { sampleContainer, sampleSandbox } from './sample.ts';
import { sandboxSpec } from './sandbox-spec.ts';
import { containerJoins, withContainerNamespaces, withSandboxNamespaces } from './with-namespaces.ts';

const { sandbox } = sampleContainer();
const user = {
	uids: [{ containerID: 0, hostID: 1000, size: 10 }],
	gids: [{ containerID: 0, hostID: 2000, size: 10 }],
};
const host = { hostNetwork: true, hostIpc: true, hostPid: true, user: undefined };

const names = (spec: { linux?: { namespaces?: readonly { type: string; path?: string }[] } }): string[] =>
	(spec.linux?.namespaces ?? [])
		.map(({ type, path }) => (path === undefined ? type : `${type} ${path}`))
		.toSorted();

test('a container joins the namespaces of its pod and has mounts of its own', () => {
	const input = sampleContainer();
	assert.deepEqual(names(withContainerNamespaces(EMPTY_SPEC, input)), [
		'cgroup',
		'ipc /proc/77/ns/ipc',
		'mount',
		'network /proc/77/ns/net',
		'pid',
		'uts /proc/77/ns/uts',
	]);
	assert.deepEqual(
		containerJoins(input).map(({ type, of }) => `${type} ${of}`),
		['network s1', 'uts s1', 'ipc s1'],
	);
});

test('every joined namespace is in the spec, that of a target container too', () => {
	const input = sampleContainer({ pid: { mode: 'join', of: 'other' } });
	const listed = withContainerNamespaces(EMPTY_SPEC, input).linux?.namespaces?.map(({ type }) => type) ?? [];
	for (const { type } of containerJoins(input)) assert.ok(listed.includes(type), type);
	assert.equal(new Set(listed).size, listed.length, 'none twice');
});

test('with the namespaces of the node nothing is joined', () => {
	const input = sampleContainer({ pid: { mode: 'node' }, sandbox: { ...sandbox, namespaces: host } });
	assert.deepEqual(names(withContainerNamespaces(EMPTY_SPEC, input)), ['cgroup', 'mount']);
	assert.deepEqual(containerJoins(input), []);
});

test('cgroup namespaces are for v2 and not for privileged containers', () => {
	const has = (change: Parameters<typeof sampleContainer>[0]): boolean =>
		names(withContainerNamespaces(EMPTY_SPEC, sampleContainer(change))).includes('cgroup');
	assert.ok(has({}));
	assert.ok(!has({ privileged: true }));
	assert.ok(!has({ host: { ...sampleContainer().host, cgroupVersion: 1 } }));
});

test('a user namespace brings its maps', () => {
	const spec = withContainerNamespaces(
		EMPTY_SPEC,
		sampleContainer({ sandbox: { ...sandbox, namespaces: { ...sandbox.namespaces, user } } }),
	);
	assert.deepEqual([spec.linux?.uidMappings, spec.linux?.gidMappings], [user.uids, user.gids]);
	assert.ok(names(spec).includes('user /proc/77/ns/user'));
});

test('a sandbox makes what its containers share', () => {
	assert.deepEqual(names(withSandboxNamespaces(EMPTY_SPEC, sampleSandbox())), [
		'ipc',
		'mount',
		'network',
		'pid',
		'uts',
	]);
	assert.deepEqual(names(withSandboxNamespaces(EMPTY_SPEC, sampleSandbox({ namespaces: host }))), ['mount']);
});

test("the sandbox's spec: pause, read-only, without rights, with hooks", () => {
	const hooks = { createRuntime: [{ path: '/hook' }] };
	const spec = sandboxSpec(sampleSandbox({ hooks, sysctls: { 'net.ipv4.ip_forward': '1' } }));
	assert.deepEqual(
		[spec.process?.args, spec.root, spec.hostname],
		[['/pause'], { path: '/root/pause', readonly: true }, 'pod-host'],
	);
	assert.equal(spec.process?.capabilities, undefined);
	assert.equal(spec.process?.noNewPrivileges, true);
	assert.deepEqual([spec.hooks, spec.linux?.sysctl], [hooks, { 'net.ipv4.ip_forward': '1' }]);
	assert.equal(sandboxSpec(sampleSandbox({ namespaces: host })).hostname, undefined);
	assert.ok(
		!sandboxSpec(sampleSandbox({ namespaces: host })).mounts?.some(
			({ destination }) => destination === '/dev/shm',
		),
	);
});

test("the container's spec is whole", () => {
	const spec = containerSpec(sampleContainer({ security: { readonly_rootfs: true } }));
	assert.deepEqual(spec.root, { path: 'rootfs', readonly: true });
	assert.deepEqual(spec.process?.args, ['sh']);
	assert.ok((spec.mounts?.length ?? 0) >= 10);
	assert.equal(spec.linux?.cgroupsPath, '/gantry/gantry-c1');
	assert.deepEqual(spec.linux?.resources?.devices?.[0], { allow: false, type: 'a', access: 'rwm' });
});
