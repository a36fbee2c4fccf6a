/** What a container's process finds: user, environment, namespaces, mounts, devices, limits. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ContainerConfigInit, LinuxContainerSecurityContextInit } from '#cri-api';
import { failureOf, TestBed } from './harness.ts';

let bed: TestBed;
let pod: string;

before(async () => {
	bed = await TestBed.start();
	pod = await bed.runPod({
		hostname: 'web-0',
		dns_config: { servers: ['10.96.0.10'], searches: ['svc.cluster.local'], options: ['ndots:5'] },
		linux: { sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80', 'kernel.shmmax': '65536' } },
	});
});
after(async () => await bed[Symbol.asyncDispose]());

/** A security context with a process namespace of its own. */
const security = (context: LinuxContainerSecurityContextInit): ContainerConfigInit => ({
	linux: { security_context: { namespace_options: { pid: 'CONTAINER' }, ...context } },
});

const output = async (script: string, config: ContainerConfigInit = {}): Promise<string> => {
	const { code, text } = await bed.runScript(pod, script, config);
	assert.equal(code, 0, text);
	return text;
};

test('the pod has its hostname, hosts, resolv.conf and sysctls', async () => {
	const text = await output(
		'hostname; cat /etc/hostname; cat /etc/resolv.conf; grep web-0 /etc/hosts | cut -f2',
	);
	assert.equal(
		text,
		'web-0\nweb-0\nnameserver 10.96.0.10\nsearch svc.cluster.local\noptions ndots:5\nweb-0\nweb-0'.replace(
			/\nweb-0$/,
			(await ips()) > 1 ? '\nweb-0' : '',
		),
	);
	assert.equal(
		await output('cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmax'),
		'80\n65536',
	);
});

async function ips(): Promise<number> {
	const { status } = await bed.cri.PodSandboxStatus({ pod_sandbox_id: pod });
	return 1 + (status?.network?.additional_ips.length ?? 0);
}

test('the environment joins image, pod and request', async () => {
	const envs = [
		{ key: 'FROM_IMAGE', value: Buffer.from('replaced') },
		{ key: 'NEW', value: Buffer.from('a=b c') },
	];
	const text = await output('env', { envs });
	const lines = new Set(text.split('\n'));
	for (const line of ['FROM_IMAGE=replaced', 'NEW=a=b c', 'PATH=/bin', 'HOSTNAME=web-0', 'HOME=/root'])
		assert.ok(lines.has(line), line);
});

test('the image says what runs, the request overrides it', async () => {
	const layer = join(bed.folder, 'layer');
	const id = `sha256:${'c'.repeat(64)}`;
	bed.images.add(
		'app',
		[layer],
		{ entrypoint: ['echo', 'entry'], command: ['cmd'], workingDir: '/data' },
		id,
	);
	const run = async (config: ContainerConfigInit) => {
		const container = await bed.run(pod, {
			image: { image: 'app' },
			command: [],
			log_path: 'app.log',
			...config,
		});
		await bed.daemon.containers.exited(container);
		const { status } = await bed.cri.ContainerStatus({ container_id: container });
		return readFileSync(status?.log_path ?? '', 'utf8')
			.trim()
			.split('\n')
			.at(-1)
			?.split(' ')
			.slice(3)
			.join(' ');
	};
	assert.equal(await run({}), 'entry cmd');
	assert.equal(await run({ args: ['mine'] }), 'entry mine');
	assert.equal(await run({ command: ['echo', 'only'] }), 'only');
	assert.equal(await run({ command: ['pwd'] }), '/data');
	assert.equal(await run({ command: ['pwd'], working_dir: '/made/for/it' }), '/made/for/it');
});

test('users come from the image, by number and by name', async () => {
	const id = 'echo $(id -u):$(id -g):$(id -G)';
	assert.equal(await output(id), '0:0:0 2001');
	assert.equal(await output(id, security({ run_as_username: 'web' })), '1000:1001:1001 2000 2001');
	assert.equal(await output(id, security({ run_as_user: { value: 1000 } })), '1000:1001:1001 2000 2001');
	assert.equal(
		await output(
			id,
			security({ run_as_user: { value: 4321 }, run_as_group: { value: 77 }, supplemental_groups: [5, 6] }),
		),
		'4321:77:77 5 6',
	);
	const strict = security({
		run_as_username: 'web',
		supplemental_groups: [5],
		supplemental_groups_policy: 'Strict',
	});
	assert.equal(await output(id, strict), '1000:1001:1001 5');
	assert.equal(await output('echo $HOME', security({ run_as_username: 'web' })), '/home/web');
});

test('capabilities are added and dropped', async () => {
	const effective = 'grep CapEff /proc/self/status | cut -f2';
	const bits = async (config: ContainerConfigInit) => BigInt(`0x${await output(effective, config)}`);
	const none = await bits(security({ capabilities: { drop_capabilities: ['ALL'] } }));
	assert.equal(none, 0n);
	assert.equal(
		await bits(security({ capabilities: { drop_capabilities: ['ALL'], add_capabilities: ['NET_ADMIN'] } })),
		1n << 12n,
	);
	const standard = await bits({});
	assert.equal(standard & (1n << 12n), 0n, 'NET_ADMIN is not a default');
	assert.notEqual(standard & 1n, 0n, 'CHOWN is one');
	assert.equal(await bits(security({ capabilities: { drop_capabilities: ['CHOWN'] } })), standard & ~1n);
	const ambient = security({
		run_as_user: { value: 1000 },
		capabilities: { add_ambient_capabilities: ['NET_BIND_SERVICE'] },
	});
	assert.equal(await bits(ambient), 1n << 10n);
});

test('masked and read-only paths are as the request lists them, and default without a security context', async () => {
	assert.equal(await output('cat /proc/interrupts | wc -c', { linux: {} }), '0');
	const own = security({ masked_paths: ['/data/file'], readonly_paths: ['/tmp'] });
	assert.equal(
		await output('wc -c < /data/file; touch /tmp/x 2>&1 || echo refused', own),
		'0\ntouch: /tmp/x: Read-only file system\nrefused',
	);
	assert.equal(await output('cat /data/file', security({})), 'from the image');
});

test('a read-only root can be mounted over and not written', async () => {
	const folder = join(bed.folder, 'rw');
	mkdirSync(folder);
	const config = {
		...security({ readonly_rootfs: true }),
		mounts: [{ host_path: folder, container_path: '/mnt' }],
	};
	assert.equal(
		await output('touch /x 2>/dev/null || echo root is read-only; echo written > /mnt/file', config),
		'root is read-only',
	);
	assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'written\n');
});

test('mounts: missing folders are made, symlinks resolved, options kept', async () => {
	const target = join(bed.folder, 'target');
	mkdirSync(join(target, 'sub'), { recursive: true });
	writeFileSync(join(target, 'file'), 'bound\n');
	symlinkSync(target, join(bed.folder, 'link'));
	const mounts = [
		{ host_path: join(bed.folder, 'missing/deep'), container_path: '/missing' },
		{
			host_path: join(bed.folder, 'link'),
			container_path: '/linked',
			readonly: true,
			mount_options: ['noexec', 'nodev', 'nosuid'],
		},
		{ host_path: join(target, 'file'), container_path: '/etc/config' },
		{ host_path: join(target, 'sub'), container_path: '/linked/sub' },
	];
	const script =
		'ls -d /missing; cat /linked/file /etc/config; touch /linked/x 2>/dev/null || echo ro; touch /linked/sub/x && echo rw; grep " /linked " /proc/self/mountinfo | cut -d" " -f6 | tr , "\\n" | grep -E "^(ro|noexec|nodev|nosuid)$" | sort | tr "\\n" " "';
	assert.equal(
		await output(script.replace(' | sort', ''), { mounts }),
		'/missing\nbound\nbound\nro\nrw\nro nosuid nodev noexec ',
	);
});

test('a mount of the request takes the place of a default one', async () => {
	const hosts = join(bed.folder, 'my-hosts');
	writeFileSync(hosts, '1.2.3.4 me\n');
	assert.equal(
		await output('cat /etc/hosts', { mounts: [{ host_path: hosts, container_path: '/etc/hosts' }] }),
		'1.2.3.4 me',
	);
});

test('devices: default ones are there, the request adds others, all else is forbidden', async () => {
	const devices = [{ host_path: '/dev/null', container_path: '/dev/mine', permissions: 'r' }];
	const script =
		'for d in null zero full random urandom tty mine; do test -c /dev/$d && echo $d; done; head -c1 /dev/mine | wc -c; ls -l /dev/stdin | wc -l';
	assert.equal(await output(script, { devices }), 'null\nzero\nfull\nrandom\nurandom\ntty\nmine\n0\n1');
	const forbidden = security({ capabilities: { add_capabilities: ['MKNOD'] } });
	assert.equal(
		await output('mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg 2>&1 | head -n1', forbidden),
		"cat: can't open '/tmp/kmsg': Operation not permitted",
	);
});

test('containers of a pod share /dev/shm, IPC and network; process ids as they ask', async () => {
	const first = await bed.run(pod);
	const second = await bed.run(pod, { linux: { security_context: { namespace_options: { pid: 'POD' } } } });
	await bed.sh(first, 'echo shared > /dev/shm/file');
	assert.equal(await bed.sh(second, 'cat /dev/shm/file'), 'shared');
	for (const name of ['net', 'ipc', 'uts']) {
		assert.equal(
			await bed.sh(first, `readlink /proc/self/ns/${name}`),
			await bed.sh(second, `readlink /proc/self/ns/${name}`),
		);
	}
	assert.equal(await bed.sh(first, 'cat /proc/1/cmdline | tr "\\0" " "'), 'sleep 1000 ');
	assert.equal(await bed.sh(second, 'cat /proc/1/cmdline | tr "\\0" " "'), '/pause ');
	const debug = await bed.run(pod, {
		linux: { security_context: { namespace_options: { pid: 'TARGET', target_id: first } } },
	});
	assert.equal(
		await bed.sh(debug, 'readlink /proc/self/ns/pid'),
		await bed.sh(first, 'readlink /proc/self/ns/pid'),
	);
	const node = await bed.run(pod, { linux: { security_context: { namespace_options: { pid: 'NODE' } } } });
	const { readlinkSync } = await import('node:fs');
	assert.equal(await bed.sh(node, 'readlink /proc/self/ns/pid'), readlinkSync('/proc/self/ns/pid'));
});

test('pause is held to its few calls where the pod asks for the default, and still buries orphans', async () => {
	const pod = await bed.runPod({
		linux: {
			security_context: { seccomp: { profile_type: 'RuntimeDefault' }, namespace_options: { pid: 'POD' } },
		},
	});
	const shared = { linux: { security_context: { namespace_options: { pid: 'POD' } } } } as const;
	const id = await bed.run(pod, shared);
	const pause = 'cat /proc/1/cmdline | tr -d "\\000"; grep ^Seccomp: /proc/1/status | cut -f2';
	assert.equal(await bed.sh(id, pause), '/pause2');
	const orphan = 'sh -c "sleep 0.01 & echo \\$!"';
	const gone = 'while [ -e /proc/$pid ]; do sleep 0.01; done; echo gone';
	assert.equal(await bed.sh(id, `pid=$(${orphan}); ${gone}`), 'gone');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
});

test('seccomp: the default filter, none, and one of the node', async () => {
	const mode = "grep '^Seccomp:' /proc/self/status | cut -f2";
	assert.equal(await output(mode, security({ seccomp: { profile_type: 'RuntimeDefault' } })), '2');
	assert.equal(await output(mode), '0');
	assert.equal(await output(mode, security({ seccomp: { profile_type: 'Unconfined' } })), '0');
	assert.equal(
		await output('grep NoNewPrivs /proc/self/status | cut -f2', security({ no_new_privs: true })),
		'1',
	);
	const profile = join(bed.folder, 'no-mkdir.json');
	writeFileSync(
		profile,
		JSON.stringify({
			defaultAction: 'SCMP_ACT_ALLOW',
			syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
		}),
	);
	const local = security({ seccomp: { profile_type: 'Localhost', localhost_ref: profile } });
	assert.equal(
		await output('mkdir /tmp/a 2>&1 || echo refused', local),
		"mkdir: can't create directory '/tmp/a': Operation not permitted\nrefused",
	);
});

test('a privileged container sees the devices and may do everything the daemon may', async () => {
	const privilegedPod = await bed.runPod({ linux: { security_context: { privileged: true } } });
	const { text, code } = await bed.runScript(
		privilegedPod,
		'test -c /dev/kmsg && echo kmsg; mkdir /tmp/m; mount -t tmpfs none /tmp/m && echo mounted; touch /sys/x 2>&1 | grep -c "Read-only"; grep ^Seccomp: /proc/self/status | cut -f2; grep CapEff /proc/self/status | cut -f2',
		security({ privileged: true }),
	);
	const own = /CapBnd:\t(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
	assert.equal(`${code} ${text}`, `0 kmsg\nmounted\n0\n0\n${own}`);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: privilegedPod });
	const failure = await failureOf(bed.create(pod, security({ privileged: true })));
	assert.equal(failure.condition, 'FAILED_PRECONDITION');
	assert.match(failure.message, /privileged/);
});

test('a terminal is one', async () => {
	const id = await bed.run(pod, {
		tty: true,
		command: ['sh', '-c', 'test -t 0 && test -t 1 && echo $TERM; sleep 100'],
		log_path: 'tty.log',
	});
	const { status } = await bed.cri.ContainerStatus({ container_id: id });
	for (
		let tries = 0;
		tries < 200 && !readFileSync(status?.log_path ?? '', 'utf8').includes('xterm');
		tries++
	) {
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	assert.match(readFileSync(status?.log_path ?? '', 'utf8'), /^\S+ stdout F xterm\r?$/m);
});

test('volumes of the image are folders of their own with the owner of the image', async () => {
	const layer = join(bed.folder, 'volumes-layer');
	mkdirSync(join(layer, 'var/data'), { recursive: true, mode: 0o700 });
	(await import('node:fs')).chownSync(join(layer, 'var/data'), 1000, 1001);
	const id = `sha256:${'d'.repeat(64)}`;
	bed.images.add(
		'volumes',
		[layer, join(bed.folder, 'layer')],
		{ volumes: ['/var/data', '/data', '/new'] },
		id,
	);
	const { text } = await bed.runScript(
		pod,
		'for p in /var/data /data /new; do grep -q " $p " /proc/self/mountinfo && echo $p $(stat -c %a:%u:%g $p); done; cat /data/file',
		{ image: { image: 'volumes' } },
	);
	assert.equal(text, '/var/data 755:1000:1001\n/new 755:0:0\nfrom the image'.replace('755:1000', '700:1000'));
});

test('a user namespace maps ids of process and files', async () => {
	const map = [{ host_id: 300_000, container_id: 0, length: 65_536 }];
	const userns_options = { mode: 'POD', uids: map, gids: map } as const;
	const userPod = await bed.runPod({
		linux: { security_context: { namespace_options: { userns_options } } },
	});
	const id = await bed.run(userPod, security({ namespace_options: { pid: 'CONTAINER', userns_options } }));
	assert.equal(await bed.sh(id, 'cat /proc/self/uid_map | tr -s " "'), ' 0 300000 65536');
	assert.equal(await bed.sh(id, 'touch /tmp/mine && stat -c %u:%g /tmp/mine /data/file /'), '0:0\n0:0\n0:0');
	assert.equal(
		await bed.sh(
			id,
			'hostname; echo x > /dev/null; cat /etc/hostname > /dev/null; touch /dev/shm/y && echo shm',
		),
		`${userPod.slice(0, 12)}\nshm`,
	);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: userPod });
});

test("a user namespace on the node's network sees a /sys of which nothing can be written", async () => {
	const map = [{ host_id: 300_000, container_id: 0, length: 65_536 }];
	const userns_options = { mode: 'POD', uids: map, gids: map } as const;
	const namespace_options = { network: 'NODE', userns_options } as const;
	const userPod = await bed.runPod({ linux: { security_context: { namespace_options } } });
	const id = await bed.run(
		userPod,
		security({ namespace_options: { ...namespace_options, pid: 'CONTAINER' } }),
	);
	// A v1 cgroup is shown by a tmpfs of the container's own, which is covered read-only.
	const writable =
		"grep ' /sys' /proc/self/mountinfo | grep -v ' /sys[^ ]* ro,' | grep -v ' - tmpfs tmpfs ' | wc -l";
	assert.equal(await bed.sh(id, `test -d /sys/class/net/lo && ${writable}`), '0');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: userPod });
});
