/** Rights and identities, as a process in the container finds them: ids, groups, devices, ports, scores. */
import assert from 'node:assert/strict';
import {
	chmodSync,
	chownSync,
	copyFileSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ContainerConfigInit, IDMappingInit, LinuxContainerSecurityContextInit } from '#cri-api';
import { failureOf, TestBed } from './harness.ts';

let bed: TestBed;
let pod: string;

before(async () => {
	bed = await TestBed.start();
	pod = await bed.runPod();
});
after(async () => await bed[Symbol.asyncDispose]());

const security = (context: LinuxContainerSecurityContextInit): ContainerConfigInit => ({
	linux: { security_context: { namespace_options: { pid: 'CONTAINER' }, ...context } },
});

const output = async (
	script: string,
	config: ContainerConfigInit = {},
	{ of = pod, from = bed } = {},
): Promise<string> => {
	const { code, text } = await from.runScript(of, script, config);
	assert.equal(code, 0, text);
	return text;
};

const userNamespace = (...map: readonly IDMappingInit[]) => ({ mode: 'POD', uids: map, gids: map }) as const;
const userPod = async (map: readonly IDMappingInit[], from = bed): Promise<string> =>
	await from.runPod({
		linux: { security_context: { namespace_options: { userns_options: userNamespace(...map) } } },
	});

test('the groups that the status tells are those of the process, whichever the policy', async () => {
	for (const supplemental_groups_policy of ['Merge', 'Strict'] as const) {
		const config = security({
			run_as_user: { value: 1000 },
			run_as_group: { value: 7 },
			supplemental_groups: [5, 2000],
			supplemental_groups_policy,
		});
		const id = await bed.run(pod, config);
		const { status } = await bed.cri.ContainerStatus({ container_id: id });
		const { uid, gid, supplemental_groups } = status?.user?.linux ?? assert.fail();
		const line = await bed.sh(id, "grep -E '^(Uid|Gid|Groups)' /proc/1/status | tr '\\t' ' '");
		const [uids = '', gids = '', groups = ''] = line.split('\n').map((text) => text.split(': ')[1] ?? '');
		assert.equal(uids.split(' ')[0], uid);
		assert.equal(gids.split(' ')[0], gid);
		assert.deepEqual(groups.trim().split(' ').toSorted(), supplemental_groups.toSorted());
		const expected = supplemental_groups_policy === 'Merge' ? ['2000', '2001', '5', '7'] : ['2000', '5', '7'];
		assert.deepEqual(supplemental_groups.toSorted(), expected);
		await bed.cri.RemoveContainer({ container_id: id });
	}
});

test('ALL capabilities are those that the daemon itself may give', async () => {
	const bits = await output(
		"grep CapBnd /proc/self/status | tr -d '\\t'",
		security({ capabilities: { add_capabilities: ['ALL'] } }),
	);
	const own = /CapBnd:\t(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
	assert.equal(bits, `CapBnd:${own}`);
});

test('programs and devices on a volume work only where its mount_options let them', async () => {
	const folder = join(bed.folder, 'programs');
	mkdirSync(folder);
	copyFileSync('/bin/busybox', join(folder, 'true'));
	const result = async (script: string, ...mount_options: string[]) =>
		await output(`${script} 2>/dev/null && echo works || echo refused; rm -f /mnt/null`, {
			mounts: [{ host_path: folder, container_path: '/mnt', mount_options }],
		});
	const run = '/mnt/true';
	assert.deepEqual([await result(run), await result(run, 'noexec')], ['works', 'refused']);
	const open = 'mknod /mnt/null c 1 3; (echo x > /mnt/null)';
	assert.deepEqual([await result(open), await result(open, 'nodev')], ['works', 'refused']);
});

test('an idmapped volume shows the owners that the pod knows, and keeps them on the node', async () => {
	const folder = join(bed.folder, 'mapped');
	mkdirSync(folder);
	writeFileSync(join(folder, 'file'), 'mine\n', { mode: 0o600 });
	chownSync(join(folder, 'file'), 1000, 1001);
	chmodSync(folder, 0o777);
	const map = [{ host_id: 300_000, container_id: 0, length: 65_536 }];
	const mapped = await userPod(map);
	const mounts = [
		{ host_path: folder, container_path: '/mapped', uidMappings: map, gidMappings: map },
		{ host_path: folder, container_path: '/plain' },
	];
	const config = security({
		run_as_user: { value: 1000 },
		namespace_options: { pid: 'CONTAINER', userns_options: userNamespace(...map) },
	});
	assert.equal(
		await output(
			'stat -c %u:%g /mapped/file /plain/file; cat /mapped/file; touch /mapped/new',
			{ ...config, mounts },
			{ of: mapped },
		),
		'1000:1001\n65534:65534\nmine',
	);
	assert.equal(statSync(join(folder, 'new')).uid, 1000);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: mapped });
});

test('pods with different id maps share the layers of an image, and nothing is copied', async () => {
	const ids = new Map<string, string>();
	for (const host_id of [300_000, 400_000]) {
		const map = [{ host_id, container_id: 0, length: 65_536 }];
		const of = await userPod(map);
		const id = await bed.run(
			of,
			security({ namespace_options: { pid: 'CONTAINER', userns_options: userNamespace(...map) } }),
		);
		ids.set(of, id);
		assert.equal(await bed.sh(id, 'stat -c %u /bin/busybox /etc/passwd; id -u'), '0\n0\n0');
		const { pid } = bed.daemon.containers.get(id)?.status.process ?? assert.fail();
		assert.equal(statSync(`/proc/${pid}`).uid, host_id);
	}
	for (const id of ids.values()) {
		const upper = join(bed.daemon.containers.layerFolder(id), 'upper');
		const files = readdirSync(upper, { recursive: true, withFileTypes: true });
		assert.deepEqual(
			files.filter((entry) => entry.isFile() && statSync(join(entry.parentPath, entry.name)).size > 0),
			[],
		);
	}
	for (const of of ids.keys()) await bed.cri.RemovePodSandbox({ pod_sandbox_id: of });
});

test('an id map of several ranges holds for all of them, and for no other id', async () => {
	const map = [
		{ host_id: 300_000, container_id: 0, length: 10 },
		{ host_id: 500_000, container_id: 1000, length: 10 },
	];
	const mapped = await userPod(map);
	const as = (value: number, groups: readonly number[] = []) =>
		security({
			run_as_user: { value },
			run_as_group: { value: 3 },
			supplemental_groups: groups,
			supplemental_groups_policy: 'Strict',
			namespace_options: { pid: 'CONTAINER', userns_options: userNamespace(...map) },
		});
	const id = await bed.run(mapped, as(1004));
	const { pid } = bed.daemon.containers.get(id)?.status.process ?? assert.fail();
	assert.equal(statSync(`/proc/${pid}`).uid, 500_004);
	for (const [config, what] of [
		[as(500), /too small: it holds 0 to 9, 1000 to 1009, but not user 500/],
		[as(5, [77]), /too small.*not group 77/],
	] as const) {
		const failure = await failureOf(bed.create(mapped, config));
		assert.equal(failure.condition, 'INVALID_ARGUMENT');
		assert.match(failure.message, what);
	}
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: mapped });
});

test('the OOM score is what was asked for, or the least that the node gives', async () => {
	const score = async (oom_score_adj: number) =>
		await output('cat /proc/self/oom_score_adj', {
			linux: { ...security({}).linux, resources: { oom_score_adj } },
		});
	assert.equal(await score(321), '321');
	const may = bed.daemon.containers.host.capabilities.includes('CAP_SYS_RESOURCE');
	const own = readFileSync('/proc/self/oom_score_adj', 'utf8').trim();
	assert.equal(await score(-999), may ? '-999' : own);

	const linux = { ...security({}).linux, resources: { oom_score_adj: 500 } };
	const id = await bed.run(pod, { linux });
	await bed.cri.UpdateContainerResources({ container_id: id, linux: { oom_score_adj: -999 } });
	assert.equal(await bed.sh(id, 'cat /proc/1/oom_score_adj'), may ? '-999' : own);
	await bed.cri.RemoveContainer({ container_id: id });
});

test('privileged without the devices of the node: those of everyone, and those that were asked for', async () => {
	await using without = await TestBed.start(['runtime.privileged_without_host_devices=true']);
	const of = await without.runPod({ linux: { security_context: { privileged: true } } });
	const devices = [{ host_path: '/dev/null', container_path: '/dev/mine', permissions: 'rw' }];
	const text = await output(
		'test -c /dev/kmsg || echo no kmsg; test -c /dev/mine && echo mine; mknod /tmp/k c 1 11; cat /tmp/k 2>/dev/null || echo closed; touch /sys/x 2>&1 | grep -c Read-only',
		{ ...security({ privileged: true }), devices },
		{ of, from: without },
	).catch((error: unknown) => String(error));
	assert.match(text, /no kmsg\nmine\nclosed\n0/);
});

test('low ports and pings for everybody where the configuration says so', async () => {
	const script =
		'cat /proc/sys/net/ipv4/ip_unprivileged_port_start; tr "\\t" " " < /proc/sys/net/ipv4/ping_group_range';
	assert.equal(await output(script), '1024\n1 0');
	await using open = await TestBed.start([
		'runtime.enable_unprivileged_ports=true',
		'runtime.enable_unprivileged_icmp=true',
	]);
	assert.equal(await output(script, {}, { of: await open.runPod(), from: open }), '0\n0 2147483647');
	const map = [{ host_id: 300_000, container_id: 0, length: 65_536 }];
	const mapped = await userPod(map, open);
	const config = security({ namespace_options: { pid: 'CONTAINER', userns_options: userNamespace(...map) } });
	assert.equal(await output(script, config, { of: mapped, from: open }), '0\n0 65535');
	const own = await open.runPod({
		linux: { sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' } },
	});
	assert.match(await output(script, {}, { of: own, from: open }), /^80\n/);
	const onNode = await open.runPod({
		linux: { security_context: { namespace_options: { network: 'NODE' } } },
	});
	assert.equal(
		await output(script, security({ namespace_options: { pid: 'CONTAINER', network: 'NODE' } }), {
			of: onNode,
			from: open,
		}),
		[
			readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8').trim(),
			readFileSync('/proc/sys/net/ipv4/ping_group_range', 'utf8').trim().replace('\t', ' '),
		].join('\n'),
	);
});

test('a seccomp profile that cannot be used is refused by its path, and why', async () => {
	const path = join(bed.folder, 'profile.json');
	const config = security({ seccomp: { profile_type: 'Localhost', localhost_ref: path } });
	const refusal = async (content: string | Buffer): Promise<string> => {
		writeFileSync(path, content);
		const failure = await failureOf(bed.create(pod, config));
		assert.equal(failure.condition, 'INVALID_ARGUMENT', failure.message);
		return failure.message;
	};
	const missing = await failureOf(
		bed.create(pod, security({ seccomp: { profile_type: 'Localhost', localhost_ref: '/no/such.json' } })),
	);
	assert.match(missing.message, /Cannot read the seccomp profile \/no\/such\.json: ENOENT/);
	assert.match(await refusal('{"defaultAction": '), /Cannot use .*profile\.json: .*JSON/);
	assert.match(await refusal('{"defaultAction": "SCMP_ACT_DANCE"}'), /SCMP_ACT_DANCE/);
	assert.match(await refusal('{"defaultAction": "SCMP_ACT_ALLOW", "more": 1}'), /more/);
	assert.match(await refusal(Buffer.alloc(2 << 20, ' ')), /too large: it has 2097152 bytes/);
	const rules = Array.from({ length: 4200 }, (_, value) => ({
		names: ['personality'],
		action: 'SCMP_ACT_ERRNO',
		args: [{ index: 0, value: value * 7, op: 'SCMP_CMP_EQ' }],
	}));
	const large = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules });
	assert.match(await refusal(large), /filter of \d+ instructions, and the kernel takes 4096: E2BIG/);
});
