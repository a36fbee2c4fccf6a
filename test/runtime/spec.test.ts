import assert from 'node:assert/strict';
import { existsSync, readlinkSync, statSync } from 'node:fs';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isAtLeast, loadSeccompProfile, type OciNamespaceType, type OciSeccomp, type Shim } from '#runtime';
import { CAPABILITIES, Machine, MOUNTS, until } from './machine.ts';

let machine: Machine;
let shim: Shim;
before(async () => {
	machine = await Machine.open();
	shim = await machine.shim();
});
after(async () => {
	await machine?.[Symbol.asyncDispose]();
});

const hostNamespace = readlinkSync('/proc/self/ns/mnt');
const namespaces = (...types: OciNamespaceType[]) => types.map((type) => ({ type }));
const DEFAULT_PROFILE = new URL('../../conf/seccomp.json', import.meta.url);

test('the process: user, groups, umask, limits, capabilities, no-new-privileges, working folder', async () => {
	const { stdout } = await machine.run(
		shim,
		machine.spec(
			'id -u; id -g; id -G; umask; pwd; ulimit -n; grep -E "Cap(Bnd|Eff|Prm|Amb)|NoNewPrivs" /proc/self/status',
			{
				process: {
					user: { uid: 1000, gid: 1001, additionalGids: [7, 8], umask: 0o027 },
					cwd: '/made/here',
					noNewPrivileges: true,
					rlimits: [{ type: 'RLIMIT_NOFILE', soft: 77, hard: 88 }],
					capabilities: {
						bounding: ['CAP_KILL', 'CAP_CHOWN'],
						permitted: ['CAP_KILL'],
						effective: ['CAP_KILL'],
						inheritable: ['CAP_KILL'],
						ambient: ['CAP_KILL'],
					},
				},
			},
		),
	);
	assert.deepEqual(stdout.replaceAll('\t', ' ').split('\n').slice(0, -1), [
		'1000',
		'1001',
		'1001 7 8',
		'0027',
		'/made/here',
		'77',
		'CapPrm: 0000000000000020',
		'CapEff: 0000000000000020',
		'CapBnd: 0000000000000021',
		'CapAmb: 0000000000000020',
		'NoNewPrivs: 1',
	]);
});

test('no descriptor of ours is in the container, its environment is only what was said', async () => {
	const { stdout } = await machine.run(
		shim,
		machine.spec('ls /proc/self/fd | tr "\\n" " "; echo; env', { process: { env: ['PATH=/bin', 'X=1'] } }),
	);
	assert.match(stdout, /^0 1 2 3 \n/);
	assert.deepEqual(
		stdout
			.split('\n')
			.slice(1)
			.filter((line) => !/^(PWD|SHLVL|_|OLDPWD)?(=|$)/.test(line))
			.toSorted(),
		['PATH=/bin', 'X=1'],
	);
});

test('devices and links', async () => {
	const { stdout } = await machine.run(
		shim,
		machine.spec(
			'for d in null zero full random urandom tty; do stat -c "%n %t:%T %a" /dev/$d; done; for l in ptmx fd stdin core; do readlink /dev/$l; done; stat -c "%t:%T %a %u" /dev/mine',
			{
				linux: {
					namespaces: namespaces('pid', 'mount'),
					devices: [{ type: 'c', path: '/dev/mine', major: 1, minor: 3, fileMode: 0o640, uid: 5 }],
				},
			},
		),
	);
	assert.deepEqual(stdout.split('\n').slice(0, -1), [
		'/dev/null 1:3 666',
		'/dev/zero 1:5 666',
		'/dev/full 1:7 666',
		'/dev/random 1:8 666',
		'/dev/urandom 1:9 666',
		'/dev/tty 5:0 666',
		'pts/ptmx',
		'/proc/self/fd',
		'/proc/self/fd/0',
		'/proc/kcore',
		'1:3 640 5',
	]);
});

test('read-only root, read-only and masked paths', async () => {
	const { stdout } = await machine.run(
		shim,
		machine.spec(
			'touch /x 2>&1; touch /tmp/y && echo tmp ok; echo 1 2>&1 > /proc/sys/kernel/printk; wc -c < /proc/version; ls /proc/irq | wc -l; touch /proc/irq/x 2>&1; true',
			{
				root: { path: 'rootfs', readonly: true },
				linux: {
					namespaces: namespaces('pid', 'mount'),
					maskedPaths: ['/proc/version', '/proc/irq', '/proc/not-there'],
					readonlyPaths: ['/proc/sys', '/proc/not-there-either'],
				},
			},
		),
	);
	assert.match(stdout, /^touch: \/x: Read-only file system\ntmp ok\n/);
	assert.match(stdout, /\n0\n0\ntouch: \/proc\/irq\/x: Read-only file system\n$/);
});

test('hostname, sysctls and mounts: bind, read-only bind, propagation of options', async () => {
	const source = join(machine.folder, 'data');
	await mkdir(source);
	await writeFile(join(source, 'file'), 'content\n');
	const { stdout, stderr } = await machine.run(
		shim,
		machine.spec(
			'hostname; cat /proc/sys/kernel/shmmni /proc/sys/net/ipv4/ip_forward; cat /ro/file /f; touch /ro/n 2>&1; touch /rw/n && echo wrote; grep " /ro " /proc/self/mounts | cut -d" " -f4',
			{
				hostname: 'named',
				mounts: [
					...MOUNTS,
					{ destination: '/ro', type: 'bind', source, options: ['rbind', 'ro', 'nosuid', 'noexec'] },
					{ destination: '/rw', source, options: ['rbind', 'rslave'] },
					{ destination: '/f', source: join(source, 'file'), options: ['bind', 'ro'] },
				],
				linux: {
					namespaces: namespaces('pid', 'mount', 'uts', 'ipc', 'network'),
					sysctl: { 'kernel.shmmni': '1234', 'net.ipv4.ip_forward': '1' },
				},
			},
		),
	);
	assert.match(
		stdout,
		/^named\n1234\n1\ncontent\ncontent\ntouch: \/ro\/n: Read-only file system\nwrote\nro,nosuid,(noexec|.*noexec)/,
		stderr,
	);
	assert.ok(existsSync(join(source, 'n')));
});

test('recursive read-only reaches the mounts below', async () => {
	const { stdout } = await machine.run(
		shim,
		machine.spec('touch /plain/shm/x 2>&1 && echo wrote && rm /plain/shm/x; touch /deep/shm/x 2>&1', {
			mounts: [
				...MOUNTS,
				{ destination: '/plain', source: '/dev', options: ['rbind', 'ro'] },
				{ destination: '/deep', source: '/dev', options: ['rbind', 'ro', 'rro'] },
			],
		}),
	);
	assert.match(stdout, /touch: \/deep\/shm\/x: Read-only file system\n$/);
	if (existsSync('/dev/shm') && (await readFile('/proc/self/mounts', 'utf8')).includes(' /dev/shm '))
		assert.match(stdout, /^wrote\n/);
});

test('symlinks of the image do not lead mounts out of it', async () => {
	const image = join(machine.folder, 'tricky');
	const { stdout } = await machine.run(
		shim,
		machine.spec('ls -d /link/target; cat /link/target/file', {
			mounts: [...MOUNTS, { destination: '/link/target', source: await tricky(image), options: ['bind'] }],
		}),
		{
			overlay: {
				lowers: [image, join(machine.folder, 'image')],
				upper: join(machine.folder, 'layers/tricky/upper'),
				work: join(machine.folder, 'layers/tricky/work'),
			},
			id: 'tricky',
		},
	);
	assert.equal(stdout, '/link/target\nbound\n');
	assert.equal(existsSync('/tmp/gantry-escape'), false);
});

async function tricky(image: string): Promise<string> {
	await mkdir(image);
	await chmod(image, 0o755);
	await symlink('../../../../../../tmp/gantry-escape', join(image, 'link'));
	const source = join(machine.folder, 'bound');
	await mkdir(source);
	await writeFile(join(source, 'file'), 'bound\n');
	return source;
}

test('hooks run in order, in their namespaces, with the state on stdin', async () => {
	const trace = join(machine.folder, 'trace');
	await mkdir(trace);
	const note = (name: string) => `echo ${name} $(readlink /proc/self/ns/mnt) $(cat) >> ${trace}/log`;
	const hook = (name: string) => ({
		path: '/bin/sh',
		args: ['sh', '-c', note(name)],
		env: ['PATH=/bin:/usr/bin'],
		timeout: 10,
	});
	const made = await machine.create(
		shim,
		machine.spec('echo main $(readlink /proc/self/ns/mnt) {} >> /trace/log', {
			mounts: [...MOUNTS, { destination: '/trace', source: trace, options: ['bind'] }],
			annotations: { key: 'value' },
			hooks: {
				prestart: [hook('prestart')],
				createRuntime: [hook('createRuntime')],
				createContainer: [hook('createContainer')],
				startContainer: [
					{
						path: '/bin/sh',
						args: ['sh', '-c', note('startContainer').replace(trace, '/trace')],
						env: ['PATH=/bin'],
					},
				],
				poststart: [hook('poststart')],
				poststop: [hook('poststop')],
			},
		}),
	);
	const before = await readFile(join(trace, 'log'), 'utf8');
	assert.deepEqual(
		before
			.trim()
			.split('\n')
			.map((line) => line.split(' ')[0]),
		['prestart', 'createRuntime', 'createContainer'],
	);
	await shim.start(made.id);
	await made.exit;
	await shim.delete(made.id);
	const lines = (await readFile(join(trace, 'log'), 'utf8'))
		.trim()
		.split('\n')
		.map((line) => {
			const [name, namespace, ...state] = line.split(' ');
			return { name, host: namespace === hostNamespace, state: JSON.parse(state.join(' ')) };
		});
	const order = lines.map(({ name }) => name).filter((name) => name !== 'main' && name !== 'poststart');
	assert.deepEqual(order, ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststop']);
	assert.deepEqual(
		lines
			.filter(({ host }) => host)
			.map(({ name }) => name)
			.toSorted(),
		['createRuntime', 'poststart', 'poststop', 'prestart'],
	);
	const state = lines.find(({ name }) => name === 'createRuntime')?.state;
	assert.deepEqual(
		[state.id, state.status, state.bundle, state.annotations],
		[made.id, 'creating', made.options.bundle, { key: 'value' }],
	);
	assert.ok(state.pid > 1);
	assert.equal(lines.find(({ name }) => name === 'poststop')?.state.status, 'stopped');
});

test('a failing createRuntime hook fails create, runs poststop and leaves nothing; a failing poststop only tells', async () => {
	const mark = join(machine.folder, 'poststop-ran');
	const bad = { path: '/bin/sh', args: ['sh', '-c', 'echo because >&2; exit 3'] };
	const poststop = [{ path: '/bin/sh', args: ['sh', '-c', `echo > ${mark}; exit 5`] }];
	await assert.rejects(
		machine.create(shim, machine.spec('true', { hooks: { createRuntime: [bad], poststop } })),
		{
			message: /createRuntime hooks \(\/bin\/sh\): .*exit code 3: because \(step \d+ of \d+\)/,
		},
	);
	assert.ok(existsSync(mark));
	assert.deepEqual(await machine.leftovers(), []);
	const made = await machine.create(shim, machine.spec('true', { hooks: { poststop } }));
	assert.match((await shim.delete(made.id)).hookError, /exit code 5/);
});

test('a hook that takes too long is killed', async () => {
	const slow = { path: '/bin/sleep', args: ['sleep', '1000'], timeout: 1 };
	await assert.rejects(machine.create(shim, machine.spec('true', { hooks: { createRuntime: [slow] } })), {
		message: /did not end within 1000 ms/,
	});
});

test('namespaces of another container, its /dev/shm, and pins', async () => {
	const pin = join(machine.folder, 'net.pin');
	const sandbox = await machine.idle(
		shim,
		{
			hostname: 'pod',
			mounts: [
				...MOUNTS,
				{ destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['mode=1777', 'size=1m'] },
			],
			linux: { namespaces: namespaces('pid', 'mount', 'uts', 'ipc', 'network') },
		},
		{ pins: [{ name: 'net', path: pin }] },
	);
	const types = ['uts', 'ipc', 'network'] as const;
	const made = await machine.create(
		shim,
		machine.spec('hostname; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; cat /dev/shm/note', {
			mounts: [...MOUNTS, { destination: '/dev/shm', source: '/dev/shm', options: ['rbind'] }],
			linux: { namespaces: namespaces('pid', 'mount', ...types) },
		}),
		{ joins: types.map((type) => ({ type, of: sandbox.id })), mountsOf: { '/dev/shm': sandbox.id } },
	);
	const inSandbox = await machine.exec(sandbox, [
		'sh',
		'-c',
		'echo shared > /dev/shm/note; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc',
	]);
	await shim.start(made.id);
	await made.exit;
	assert.equal((await made.log()).stdout, `pod\n${inSandbox.stdout}shared\n`);
	const byPath = await machine.run(
		shim,
		machine.spec('readlink /proc/self/ns/net', {
			linux: { namespaces: [...namespaces('pid', 'mount'), { type: 'network', path: pin }] },
		}),
	);
	assert.equal(byPath.stdout, `${inSandbox.stdout.split('\n')[0]}\n`);
	await shim.delete(made.id);
	await shim.delete(sandbox.id);
	assert.equal(existsSync(pin), false);
});

test('a shared pid namespace shows the processes of the other', async () => {
	const sandbox = await machine.idle(shim);
	const made = await machine.run(shim, machine.spec('ps | grep -c "sleep 100[0]"; echo $$'), {
		joins: [{ type: 'pid', of: sandbox.id }],
	});
	const [count, pid] = made.stdout.split('\n');
	assert.equal(count, '1');
	assert.ok(Number(pid) > 1);
	await shim.delete(sandbox.id);
});

test('a user namespace: ids mapped, layers idmapped, writes land as the mapped ids', {
	skip: !isAtLeast(release(), 5, 19),
}, async () => {
	const maps = {
		uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
		gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
	};
	const volume = join(machine.folder, 'volume');
	await mkdir(volume);
	const made = await machine.create(
		shim,
		machine.spec(
			'id -u; stat -c "%u:%g" /bin/busybox; touch /mine && stat -c %u /mine; cat /proc/self/uid_map; touch /v/made; echo x > /dev/null && echo null; sleep 1000',
			{
				mounts: [...MOUNTS, { destination: '/v', source: volume, options: ['bind', 'idmap'] }],
				linux: { namespaces: namespaces('pid', 'mount', 'ipc', 'uts', 'network', 'cgroup', 'user'), ...maps },
			},
		),
	);
	await shim.start(made.id);
	await until('the container has said all', async () => (await made.log()).stdout.includes('null'));
	const { stdout, stderr } = await made.log();
	assert.deepEqual(
		stdout.replaceAll(/ +/g, ' ').split('\n').slice(0, -1),
		['0', '0:0', '0', ' 0 100000 65536', 'null'],
		stderr,
	);
	assert.equal(statSync(join(volume, 'made')).uid, 0);
	const [container] = await shim.list();
	assert.equal(statSync(`/proc/${container?.process.pid}`).uid, 100000);
	const inside = await machine.exec(made, ['sh', '-c', 'id -u; touch /second && echo wrote']);
	assert.equal(inside.stdout, '0\nwrote\n', inside.stderr);
	await shim.delete(made.id);
});

test('seccomp: the default profile, with and without no-new-privileges, and in exec', async () => {
	const profile = loadSeccompProfile(await readFile(DEFAULT_PROFILE, 'utf8'), {
		capabilities: CAPABILITIES,
		arch: process.arch,
		kernel: release(),
	});
	for (const noNewPrivileges of [true, false]) {
		const parts = {
			process: { noNewPrivileges },
			linux: { namespaces: namespaces('pid', 'mount'), seccomp: profile },
		};
		const { stdout } = await machine.run(
			shim,
			machine.spec('grep ^Seccomp: /proc/self/status; unshare -U true 2>&1; mkdir /ok && echo made', parts),
		);
		assert.match(stdout, /^Seccomp:\t2\nunshare: .*Operation not permitted\nmade\n$/);
		const idle = await machine.idle(shim, parts);
		assert.match(
			(await machine.exec(idle, ['grep', '^Seccomp:', '/proc/self/status'])).stdout,
			/^Seccomp:\t2\n$/,
		);
		await shim.delete(idle.id);
	}
	const custom: OciSeccomp = {
		defaultAction: 'SCMP_ACT_ALLOW',
		syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }],
	};
	const refused = await machine.run(
		shim,
		machine.spec('mkdir /no 2>&1', { linux: { namespaces: namespaces('mount'), seccomp: custom } }),
	);
	assert.match(refused.stdout, /(Not|not) supported/);
});

test('the OOM score, I/O priority, scheduler and personality', async () => {
	const { stdout } = await machine.run(
		shim,
		machine.spec('cat /proc/self/oom_score_adj; cat /proc/self/personality', {
			process: {
				oomScoreAdj: 321,
				scheduler: { policy: 'SCHED_BATCH' },
				ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 3 },
			},
			linux: { namespaces: namespaces('pid', 'mount'), personality: { domain: 'LINUX32' } },
		}),
	);
	assert.equal(stdout, '321\n00000008\n');
});
