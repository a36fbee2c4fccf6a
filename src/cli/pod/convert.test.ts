import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { containerConfig, containersOf } from './container-config.ts';
import { parseResolvConf } from './dns.ts';
import { expand } from './env.ts';
import { hostsText } from './hosts-file.ts';
import { defaultPolicy } from './images.ts';
import { quantity } from './quantity.ts';
import { resourcesOf } from './resources.ts';
import { sandboxConfig } from './sandbox-config.ts';
import { checkNonRoot } from './security.ts';

const inputs = { uid: 'u1', logFolder: '/logs', dns: null, manifestFolder: '/here' };
const podOf = (
	spec: Partial<NonNullable<V1Pod['spec']>>,
	containers: V1Container[] = [{ name: 'a', image: 'i' }],
): V1Pod => ({
	metadata: { name: 'demo', labels: { app: 'x' } },
	spec: { containers, ...spec },
});
const configOf = (pod: V1Pod, index = 0) => {
	const entry = containersOf(pod)[index];
	assert.ok(entry);
	return containerConfig(entry, {
		facts: { pod, uid: 'u1', ips: ['10.0.0.2'] },
		imageRef: 'ref',
		mounts: [],
		manifestFolder: '/here',
	});
};

test('quantities', () => {
	assert.equal(quantity('500m', 'x'), 0.5);
	assert.equal(quantity('64Mi', 'x'), 64 * 1024 * 1024);
	assert.equal(quantity('1e3', 'x'), 1000);
	assert.equal(quantity(2, 'x'), 2);
	assert.throws(() => quantity('12 apples', 'spec.x'), /spec\.x: 12 apples is no quantity/);
	assert.throws(() => quantity('-1', 'spec.x'), /below zero/);
});

test('variables are expanded as Kubernetes does', () => {
	const variables = new Map([['A', '1']]);
	assert.equal(expand('$(A) $$(A) $(B) $A $$', variables), '1 $(A) $(B) $A $');
});

test('a variable sees those above it, and fields of the pod', () => {
	const env = [
		{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
		{ name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
		{ name: 'URL', value: 'http://$(IP)/$(LABEL)/$(LATER)' },
		{ name: 'LATER', value: 'x' },
	];
	const config = configOf(podOf({}, [{ name: 'a', image: 'i', env, args: ['--url=$(URL)'] }]));
	const values = Object.fromEntries(
		(config.envs ?? []).map(({ key, value }) => [key, Buffer.from(value ?? []).toString()]),
	);
	assert.deepEqual(values, { IP: '10.0.0.2', LABEL: 'x', URL: 'http://10.0.0.2/x/$(LATER)', LATER: 'x' });
	assert.deepEqual(config.args, ['--url=http://10.0.0.2/x/$(LATER)']);
});

test('resources become what a kubelet would send', () => {
	const limits = { cpu: '250m', memory: '32Mi' };
	const pod = podOf({}, [{ name: 'a', image: 'i', resources: { limits } }]);
	assert.deepEqual(resourcesOf({ limits }, pod, 'x'), {
		cpu_shares: 256,
		cpu_period: 100_000,
		cpu_quota: 25_000,
		memory_limit_in_bytes: 32 * 1024 * 1024,
		hugepage_limits: [],
		oom_score_adj: -997,
	});
	assert.deepEqual(resourcesOf(undefined, podOf({}), 'x'), {
		cpu_shares: 2,
		hugepage_limits: [],
		oom_score_adj: 1000,
	});
	assert.throws(
		() => resourcesOf({ limits: { 'example.com/gpu': '1' } }, pod, 'spec.r'),
		/spec\.r\.limits\.example\.com\/gpu/,
	);
	assert.deepEqual(resourcesOf({ limits: { 'hugepages-2Mi': '4Mi' } }, pod, 'x').hugepage_limits, [
		{ page_size: '2MB', limit: 4 * 1024 * 1024 },
	]);
});

test('a burstable pod is killed later than best effort and earlier than guaranteed', () => {
	const resources = { requests: { memory: '64Mi' } };
	const score = Number(
		resourcesOf(resources, podOf({}, [{ name: 'a', image: 'i', resources }]), 'x').oom_score_adj,
	);
	assert.ok(score > 2 && score <= 999, String(score));
});

test('ports of all containers are mapped, none on the network of the node', () => {
	const web: V1Container = {
		name: 'web',
		image: 'i',
		ports: [{ containerPort: 80, hostPort: 8080, hostIP: '127.0.0.1' }],
	};
	const mapped = [{ protocol: 'TCP', container_port: 80, host_port: 8080, host_ip: '127.0.0.1' }];
	assert.deepEqual(sandboxConfig(podOf({}, [web]), inputs).port_mappings, mapped);
	assert.throws(
		() => sandboxConfig(podOf({ hostNetwork: true }, [web]), inputs),
		/hostPort 8080 differs from containerPort 80/,
	);
	const same: V1Container = { name: 'web', image: 'i', ports: [{ containerPort: 80, hostPort: 80 }] };
	assert.deepEqual(sandboxConfig(podOf({ hostNetwork: true }, [same]), inputs).port_mappings, []);
	assert.throws(
		() => sandboxConfig(podOf({}, [{ name: 'a', image: 'i', ports: [{ containerPort: 70000 }] }]), inputs),
		/spec\.containers\[0\]\.ports\[0\]\.containerPort/,
	);
});

test('namespaces follow hostPID, hostIPC, hostNetwork and shareProcessNamespace', () => {
	const namespaces = (spec: Partial<NonNullable<V1Pod['spec']>>) =>
		sandboxConfig(podOf(spec), inputs).linux?.security_context?.namespace_options;
	assert.deepEqual(namespaces({}), { network: 'POD', pid: 'CONTAINER', ipc: 'POD' });
	assert.deepEqual(namespaces({ shareProcessNamespace: true }), { network: 'POD', pid: 'POD', ipc: 'POD' });
	assert.deepEqual(namespaces({ hostPID: true, hostIPC: true, hostNetwork: true }), {
		network: 'NODE',
		pid: 'NODE',
		ipc: 'NODE',
	});
});

test('security contexts: the container wins, fsGroup is a supplemental group, seccomp is on by default', () => {
	const pod = podOf(
		{ securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000, supplementalGroups: [3000] } },
		[
			{
				name: 'a',
				image: 'i',
				securityContext: { runAsUser: 2, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
			},
		],
	);
	const security = configOf(pod).linux?.security_context;
	assert.deepEqual(security?.run_as_user, { value: 2 });
	assert.deepEqual(security?.run_as_group, { value: 1000 });
	assert.deepEqual(security?.supplemental_groups, [3000, 2000]);
	assert.deepEqual(security?.seccomp, { profile_type: 'RuntimeDefault' });
	assert.equal(security?.no_new_privs, true);
	assert.deepEqual(security?.capabilities?.drop_capabilities, ['ALL']);
	assert.ok(security?.masked_paths?.includes('/proc/kcore'));
});

test('a privileged container makes its sandbox privileged and is not masked', () => {
	const pod = podOf({}, [{ name: 'a', image: 'i', securityContext: { privileged: true } }]);
	assert.equal(sandboxConfig(pod, inputs).linux?.security_context?.privileged, true);
	assert.deepEqual(configOf(pod).linux?.security_context?.masked_paths, []);
	assert.deepEqual(configOf(pod).linux?.security_context?.seccomp, { profile_type: 'Unconfined' });
});

test('a localhost seccomp profile is found beside the manifest', () => {
	const seccompProfile = { type: 'Localhost', localhostProfile: 'profiles/a.json' };
	const pod = podOf({}, [{ name: 'a', image: 'i', securityContext: { seccompProfile } }]);
	assert.equal(configOf(pod).linux?.security_context?.seccomp?.localhost_ref, '/here/profiles/a.json');
});

test('runAsNonRoot refuses root, whether the pod or the image says it', () => {
	const pod = podOf({ securityContext: { runAsNonRoot: true } });
	const container = { name: 'a', image: 'i' };
	assert.throws(() => checkNonRoot(pod, container, { uid: undefined, username: '' }), /runs as root/);
	assert.throws(
		() => checkNonRoot(pod, container, { uid: undefined, username: 'web' }),
		/names the user "web"/,
	);
	assert.throws(
		() => checkNonRoot(pod, { ...container, securityContext: { runAsUser: 0 } }, { uid: 5, username: '' }),
		/runAsUser is 0/,
	);
	checkNonRoot(pod, container, { uid: 5, username: '' });
	checkNonRoot(podOf({}), container, { uid: 0, username: '' });
});

test('init containers, sidecars and main ones in the order of their start', () => {
	const pod = podOf({
		initContainers: [
			{ name: 'first', image: 'i' },
			{ name: 'side', image: 'i', restartPolicy: 'Always' },
		],
	});
	assert.deepEqual(
		containersOf(pod).map(({ container, kind, path }) => [container.name, kind, path]),
		[
			['first', 'init', 'spec.initContainers[0]'],
			['side', 'sidecar', 'spec.initContainers[1]'],
			['a', 'main', 'spec.containers[0]'],
		],
	);
});

test('the pod is labelled as a kubelet labels it, and told its grace period', () => {
	const pod = podOf({ terminationGracePeriodSeconds: 5 });
	assert.equal(sandboxConfig(pod, inputs).labels?.['io.kubernetes.pod.uid'], 'u1');
	assert.equal(sandboxConfig(pod, inputs).metadata?.namespace, 'default');
	assert.equal(configOf(pod).annotations?.['io.kubernetes.pod.terminationGracePeriod'], '5');
	assert.equal(configOf(pod).log_path, 'a/0.log');
});

test('pull policies default as in Kubernetes', () => {
	assert.equal(defaultPolicy('busybox'), 'Always');
	assert.equal(defaultPolicy('localhost:5000/busybox'), 'Always');
	assert.equal(defaultPolicy('localhost:5000/busybox:1.36'), 'IfNotPresent');
	assert.equal(defaultPolicy('busybox@sha256:00'), 'IfNotPresent');
});

test('hosts and resolv.conf', () => {
	const pod = podOf({ hostAliases: [{ ip: '10.1.1.1', hostnames: ['db', 'db.local'] }] });
	assert.match(hostsText(pod, ['10.0.0.2']), /^10\.0\.0\.2\tdemo\n10\.1\.1\.1\tdb\tdb\.local\n/m);
	const parsed = parseResolvConf(
		'# c\nnameserver 1.1.1.1\nsearch a b\nsearch c\noptions ndots:2 rotate\nnameserver ::1\n',
	);
	assert.deepEqual(parsed, { servers: ['1.1.1.1', '::1'], searches: ['c'], options: ['ndots:2', 'rotate'] });
});
