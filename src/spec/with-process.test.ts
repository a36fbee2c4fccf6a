import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OciSpec } from '#runtime';
import { EMPTY_SPEC } from './draft.ts';
import { SAMPLE_RESOURCES, sampleContainer } from './sample.ts';
import { withAnnotations } from './with-annotations.ts';
import { withCapabilities, withheldCapabilities } from './with-capabilities.ts';
import { withCommand } from './with-command.ts';
import { mergeEnvironment, withEnvironment } from './with-environment.ts';
import { withHiddenPaths } from './with-hidden-paths.ts';
import { ociResources, withResources } from './with-resources.ts';
import { withRlimits } from './with-rlimits.ts';
import { withSecurity } from './with-security.ts';
import { withUser } from './with-user.ts';

const image = sampleContainer().image;

test("the working folder is the request's, the image's, or the root; a terminal only if asked for", () => {
	const cwd = (input: Parameters<typeof withCommand>[1]): unknown =>
		withCommand(EMPTY_SPEC, input).process?.cwd;
	assert.equal(cwd(sampleContainer()), '/');
	assert.equal(cwd(sampleContainer({ image: { ...image, workingDir: 'srv' } })), '/srv');
	assert.equal(
		cwd(sampleContainer({ image: { ...image, workingDir: '/srv' }, config: { working_dir: '/mine' } })),
		'/mine',
	);
	assert.equal(withCommand(EMPTY_SPEC, sampleContainer()).process?.terminal, undefined);
	assert.equal(withCommand(EMPTY_SPEC, sampleContainer({ config: { tty: true } })).process?.terminal, true);
});

test('of two variables with one name the later wins, at the place of the first', () => {
	assert.deepEqual(mergeEnvironment(['A=1', 'B=2'], ['A=3', 'C']), ['A=3', 'B=2', 'C']);
});

test("the environment: defaults, the node's, the image's, the request's", () => {
	const input = sampleContainer({
		image: { ...image, env: ['PATH=/image', 'X=image', 'Y=image'] },
		defaults: { ...sampleContainer().defaults, defaultEnv: ['X=node', 'Z=node'] },
		config: { tty: true, envs: [{ key: 'Y', value: Buffer.from('request') }] },
	});
	const env = withEnvironment(EMPTY_SPEC, input).process?.env ?? [];
	assert.deepEqual(env.toSorted(), [
		'HOME=/root',
		'HOSTNAME=pod-host',
		'PATH=/image',
		'TERM=xterm',
		'X=image',
		'Y=request',
		'Z=node',
	]);
});

test("the user's groups are there only if it has any", () => {
	assert.deepEqual(withUser(EMPTY_SPEC, { user: { uid: 5, gid: 6, groups: [] } }).process?.user, {
		uid: 5,
		gid: 6,
	});
	assert.deepEqual(
		withUser(EMPTY_SPEC, { user: { uid: 5, gid: 6, groups: [6, 7] } }).process?.user.additionalGids,
		[6, 7],
	);
});

test('capabilities that the daemon may not give are left out and named, by ALL and by name', () => {
	const sets = (capabilities: Partial<Record<'add' | 'drop' | 'ambient', string[]>>, privileged = false) => {
		const { add = [], drop = [], ambient = [] } = capabilities;
		const input = sampleContainer({
			privileged,
			security: {
				capabilities: {
					add_capabilities: add,
					drop_capabilities: drop,
					add_ambient_capabilities: ambient,
				},
			},
		});
		const given = withCapabilities(EMPTY_SPEC, input).process?.capabilities;
		assert.ok(
			!given?.bounding?.includes('CAP_SYS_RESOURCE') && !given?.ambient?.includes('CAP_SYS_RESOURCE'),
		);
		return withheldCapabilities(input);
	};
	assert.deepEqual(sets({ add: ['NET_ADMIN'] }), []);
	for (const asked of [{ add: ['SYS_RESOURCE'] }, { add: ['ALL'] }, { ambient: ['SYS_RESOURCE'] }])
		assert.deepEqual(sets(asked), ['CAP_SYS_RESOURCE']);
	assert.deepEqual(sets({}, true), ['CAP_SYS_RESOURCE']);
	assert.deepEqual(sets({ add: ['ALL'], drop: ['SYS_RESOURCE'] }), []);
	// The kernel does not have it at all.
	assert.deepEqual(sets({ add: ['PERFMON'] }), ['CAP_PERFMON']);
});

test('capabilities: ALL first, then the named ones; dropping wins', () => {
	const bounding = (add: string[], drop: string[], privileged = false) => {
		const capabilities = { add_capabilities: add, drop_capabilities: drop, add_ambient_capabilities: [] };
		const input = sampleContainer({ privileged, security: { capabilities } });
		return withCapabilities(EMPTY_SPEC, input).process?.capabilities?.bounding;
	};
	assert.deepEqual(bounding([], []), ['CAP_CHOWN', 'CAP_KILL']);
	assert.deepEqual(bounding(['net_admin'], ['CAP_KILL']), ['CAP_CHOWN', 'CAP_NET_ADMIN']);
	assert.deepEqual(bounding(['ALL'], ['CHOWN']), ['CAP_KILL', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN']);
	assert.deepEqual(bounding(['NET_ADMIN'], ['all']), ['CAP_NET_ADMIN']);
	assert.deepEqual(bounding([], ['ALL'], true), ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN']);
	assert.throws(() => bounding(['FLY'], []), { condition: 'INVALID_ARGUMENT' });
});

test('an ambient capability is inheritable and permitted too', () => {
	const capabilities = {
		add_capabilities: [],
		drop_capabilities: ['ALL'],
		add_ambient_capabilities: ['NET_ADMIN'],
	};
	const sets = withCapabilities(EMPTY_SPEC, sampleContainer({ security: { capabilities } })).process
		?.capabilities;
	for (const set of ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'] as const) {
		assert.deepEqual(sets?.[set], ['CAP_NET_ADMIN'], set);
	}
});

test('a privileged container has no filter, others have what was chosen', () => {
	const seccomp = { defaultAction: 'SCMP_ACT_ALLOW' };
	const filter = (privileged: boolean): unknown =>
		withSecurity(EMPTY_SPEC, sampleContainer({ privileged, seccomp })).linux?.seccomp;
	assert.equal(filter(false), seccomp);
	assert.equal(filter(true), undefined);
	const input = sampleContainer({
		security: { no_new_privs: true },
		appArmorProfile: 'a',
		seLinux: { process: 'u:r:t:l', mount: 'u:o:f:l' },
	});
	const { process, linux } = withSecurity(EMPTY_SPEC, input);
	const { noNewPrivileges, apparmorProfile, selinuxLabel } = process ?? {};
	assert.equal(linux?.mountLabel, 'u:o:f:l');
	assert.deepEqual([noNewPrivileges, apparmorProfile, selinuxLabel], [true, 'a', 'u:r:t:l']);
});

test("masked paths are the request's; defaults only without a security context; none when privileged", () => {
	const masked = (input: Parameters<typeof withHiddenPaths>[1]): readonly string[] | undefined =>
		withHiddenPaths(EMPTY_SPEC, input).linux?.maskedPaths;
	assert.ok(masked(sampleContainer())?.includes('/proc/kcore'));
	assert.deepEqual(masked(sampleContainer({ security: {} })), []);
	assert.deepEqual(masked(sampleContainer({ security: { masked_paths: ['/x'] } })), ['/x']);
	assert.deepEqual(masked(sampleContainer({ privileged: true, security: { masked_paths: ['/x'] } })), []);
});

test('limits of the configuration', () => {
	const defaults = {
		...sampleContainer().defaults,
		defaultUlimits: ['nofile=1024:524288', 'core=unlimited', 'nproc=5'],
	};
	assert.deepEqual(withRlimits(EMPTY_SPEC, sampleContainer({ defaults })).process?.rlimits, [
		{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 524288 },
		{ type: 'RLIMIT_CORE', soft: -1, hard: -1 },
		{ type: 'RLIMIT_NPROC', soft: 5, hard: 5 },
	]);
});

test('resources: what is 0 or empty is not set; swap follows memory', () => {
	const host = { swapLimit: true };
	assert.deepEqual(ociResources(SAMPLE_RESOURCES, host), {});
	const all = {
		...SAMPLE_RESOURCES,
		cpu_period: '100000',
		cpu_quota: '-1',
		cpu_shares: '512',
		cpuset_cpus: '0-1',
		memory_limit_in_bytes: '1000',
		hugepage_limits: [{ page_size: '2MB', limit: '4194304' }],
		unified: { 'memory.high': '900' },
	};
	assert.deepEqual(ociResources(all, host), {
		cpu: { period: 100000, quota: -1, shares: 512, cpus: '0-1' },
		memory: { limit: 1000, swap: 1000 },
		hugepageLimits: [{ pageSize: '2MB', limit: 4194304 }],
		unified: { 'memory.high': '900' },
	});
	assert.deepEqual(ociResources({ ...all, memory_swap_limit_in_bytes: '3000' }, host).memory, {
		limit: 1000,
		swap: 3000,
	});
	assert.deepEqual(ociResources(all, { swapLimit: false }).memory, { limit: 1000 });
	assert.throws(
		() => ociResources({ ...all, memory_swap_limit_in_bytes: '3000' }, { swapLimit: false }),
		/does not account swap/,
	);
	assert.deepEqual(
		ociResources({ ...SAMPLE_RESOURCES, memory_limit_in_bytes: '9223372036854771712' }, host).memory,
		{ limit: -1, swap: -1 },
	);
	assert.throws(() => ociResources({ ...SAMPLE_RESOURCES, cpu_shares: '-2' }, host), {
		condition: 'INVALID_ARGUMENT',
	});
});

test('the cgroup keeps the device rules that were there, and the OOM score has its range', () => {
	const before: OciSpec = { ...EMPTY_SPEC, linux: { resources: { devices: [{ allow: false }] } } };
	const score = (oom_score_adj: string) =>
		sampleContainer({
			config: { linux: { resources: { ...SAMPLE_RESOURCES, oom_score_adj }, security_context: null } },
		});
	const spec = withResources(before, score('-998'));
	assert.deepEqual(
		[spec.linux?.cgroupsPath, spec.linux?.resources?.devices, spec.process?.oomScoreAdj],
		['/gantry/gantry-c1', [{ allow: false }], -998],
	);
	assert.throws(() => withResources(before, score('1001')), { condition: 'INVALID_ARGUMENT' });
});

test('annotations say what a hook is called for', () => {
	const { config } = sampleContainer().sandbox;
	const { annotations } = withAnnotations(EMPTY_SPEC, {
		sandboxId: 's1',
		config,
		container: { name: 'web', image: 'busybox' },
	});
	assert.equal(annotations?.['io.kubernetes.cri.container-type'], 'container');
	assert.equal(annotations?.['io.kubernetes.cri.container-name'], 'web');
	const sandbox = withAnnotations(EMPTY_SPEC, { sandboxId: 's1', config }).annotations;
	assert.equal(sandbox?.['io.kubernetes.cri.container-type'], 'sandbox');
	assert.equal(sandbox?.['io.kubernetes.cri.container-name'], undefined);
	const linux = {
		cgroup_parent: '',
		security_context: null,
		sysctls: {},
		overhead: { ...SAMPLE_RESOURCES, memory_limit_in_bytes: '4096' },
		resources: { ...SAMPLE_RESOURCES, cpu_quota: '50000' },
	};
	const summed = withAnnotations(EMPTY_SPEC, { sandboxId: 's1', config: { ...config, linux } }).annotations;
	assert.equal(summed?.['io.kubernetes.cri.sandbox-cpu-quota'], '50000');
	assert.equal(summed?.['io.kubernetes.cri.sandbox-overhead-memory'], '4096');
	assert.equal(summed?.['io.kubernetes.cri.sandbox-memory'], undefined);
});
