/** Images and requests that try to get out of a container, through the whole daemon. runtime/README.md lists the CVEs. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { StatusError } from '#base/errors.ts';
import type { ContainerConfigInit } from '#cri-api';
import type { ImageConfig } from '#images';
import { nativeBinary } from '#runtime';
import { MASKED_PATHS, READONLY_PATHS } from '../../src/spec/with-hidden-paths.ts';
import { failureOf, TestBed } from './harness.ts';

let bed: TestBed;
let pod: string;
/** A folder of the host, with a file that looks like what images are asked for. */
let victim: string;
const ACCOUNTS = 'host:x:4711:4712:of the host:/:/bin/sh\n';

before(async () => {
	bed = await TestBed.start();
	pod = await bed.runPod();
});
after(async () => await bed[Symbol.asyncDispose]());
beforeEach(() => {
	victim = mkdtempSync(join(tmpdir(), 'victim-'));
	writeFileSync(join(victim, 'file'), ACCOUNTS, { mode: 0o640 });
});
afterEach(() => {
	assert.deepEqual(readdirSync(victim), ['file'], 'nothing is made or removed outside');
	assert.equal(readFileSync(join(victim, 'file'), 'utf8'), ACCOUNTS);
	assert.equal(statSync(join(victim, 'file')).mode & 0o777, 0o640);
	assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(victim), 'nothing is mounted outside');
	rmSync(victim, { recursive: true });
});

let images = 0;

/** An image over busybox whose top layer has these symlinks. */
function imageWith(
	links: Readonly<Record<string, string>>,
	config: Partial<ImageConfig> = {},
): ContainerConfigInit {
	const name = `links-${++images}`;
	const layer = join(bed.folder, name);
	for (const [path, target] of Object.entries(links)) {
		mkdirSync(join(layer, path, '..'), { recursive: true });
		symlinkSync(target, join(layer, path));
	}
	mkdirSync(layer, { recursive: true });
	bed.images.add(
		name,
		[layer, join(bed.folder, 'layer')],
		config,
		`sha256:${String(images).padStart(64, 'e')}`,
	);
	return { image: { image: name } };
}

/** What a script prints in a container of the image; or why there is none. */
async function outcome(
	script: string,
	config: ContainerConfigInit,
): Promise<{ text?: string; error?: StatusError }> {
	try {
		return { text: (await bed.runScript(pod, script, config)).text };
	} catch (error) {
		return { error: error as StatusError };
	}
}

const assertNothingSeen = (text = ''): void => assert.ok(!text.includes('of the host'), text);

/** Towards the victim, absolute and by climbing. */
const ways = (): string[] => [victim, `../../../../../../../..${victim}`, `/proc/1/root${victim}`];

for (const [path, fstype] of [
	['proc', 'proc'],
	['sys', 'sysfs'],
	['dev', 'tmpfs'],
	['dev/pts', 'devpts'],
	['dev/shm', 'tmpfs'],
	['sys/fs/cgroup', 'tmpfs'],
] as const)
	test(`/${path} of the image is a symlink to the host: refused, or mounted inside`, async () => {
		for (const target of ways()) {
			const { text, error } = await outcome(
				`cat /${path}/file 2>&1; stat -f -c %T /${path}`,
				imageWith({ [path]: target }),
			);
			if (error !== undefined) assert.match(error.message, new RegExp(`/${path.split('/')[0]}`), fstype);
			else assertNothingSeen(text);
		}
	});

for (const path of [
	'etc/resolv.conf',
	'etc/hosts',
	'etc/hostname',
	'etc/mtab',
	'etc',
	'dev/console',
	'dev/null',
	'dev/ptmx',
	'dev/stdout',
])
	test(`/${path} of the image is a symlink to the host: nothing of it is seen or changed`, async () => {
		for (const target of [...ways(), join(victim, 'file'), join(victim, 'made')]) {
			const tty = path === 'dev/console';
			// A terminal that is read waits for somebody who types.
			const look = path.startsWith('dev/') ? 'stat -L' : 'cat';
			const { text } = await outcome(`${look} /${path} 2>&1; echo 4711 2>/dev/null >> /${path}; true`, {
				...imageWith({ [path]: target }),
				tty,
			});
			assertNothingSeen(text);
		}
	});

test('users are looked up in the image, whatever its passwd and group are symlinks to', async () => {
	for (const target of [join(victim, 'file'), `../../../../../../../..${victim}/file`])
		for (const user of ['host', 'root:host']) {
			const error = await failureOf(
				bed.create(pod, imageWith({ 'etc/passwd': target, 'etc/group': target }, { user })),
			);
			assert.equal(error.condition, 'INVALID_ARGUMENT');
			assert.match(error.message, /of the image/);
		}
});

test('the working folder of an image is inside, or there is no container', async () => {
	const inside = imageWith({ w: victim, 'a/b': `../../../../../../..${victim}` });
	for (const working_dir of [
		'/w',
		'/w/made',
		'/a/b/made',
		'/proc/self/fd/3',
		'/proc/self/fd/7/../..',
		'/proc/1/cwd',
		'/proc/self/root/..',
	]) {
		const { text } = await outcome(`pwd; cat file ..${victim}/file 2>&1`, { ...inside, working_dir });
		assertNothingSeen(text);
	}
});

test('targets of mounts are made inside, also behind symlinks', async () => {
	const source = join(bed.folder, 'volume');
	mkdirSync(source, { recursive: true });
	const image = imageWith({ m: victim, 'a/up': `../../../../../../..${victim}`, f: join(victim, 'file') });
	for (const container_path of [
		'/m',
		'/m/made',
		'/a/up/made/deep',
		'/f',
		'/proc/self/root/m/made',
		`/m/../..${victim}`,
	]) {
		const mounts = [{ host_path: source, container_path }];
		const { text } = await outcome('cat /m/file /f 2>&1; touch /m/touched; true', { ...image, mounts });
		assertNothingSeen(text);
	}
});

test('a volume of the image is filled from the image only', async () => {
	for (const target of ways()) {
		const image = imageWith(
			{ data: target, 'v/up': target },
			{ volumes: ['/data', '/v/up', '/data/made', `/v/../../../../..${victim}`] },
		);
		const { text } = await outcome('cat /data/file /v/up/file 2>&1; true', image);
		assertNothingSeen(text);
	}
});

test('masked and read-only paths hide what is inside, not what symlinks name outside', async () => {
	const security_context = { masked_paths: ['/m', '/m/file', '/f'], readonly_paths: ['/a/up', '/m'] };
	const image = imageWith({ m: victim, 'a/up': victim, f: join(victim, 'file') });
	const { text } = await outcome('cat /m/file /f 2>&1; true', { ...image, linux: { security_context } });
	assertNothingSeen(text);
});

test('the program of the runtime cannot be had or written through /proc, by whatever is executed', async () => {
	const binary = nativeBinary('gantry-shim');
	const digest = () => createHash('sha256').update(readFileSync(binary)).digest('hex');
	const before = digest();
	const layer = join(bed.folder, 'exe');
	mkdirSync(layer);
	writeFileSync(join(layer, 'self'), '#!/proc/self/exe shim\n', { mode: 0o755 });
	bed.images.add('exe', [layer, join(bed.folder, 'layer')], {}, `sha256:${'d'.repeat(64)}`);
	const writer =
		'while true; do for exe in /proc/[0-9]*/exe; do echo evil 2>/dev/null >> $exe; done; done 2>/dev/null';
	const id = await bed.run(pod, { image: { image: 'exe' }, command: ['sh', '-c', writer] });
	for (let round = 0; round < 20; round++) {
		const answer = bed.cri.ExecSync({ container_id: id, cmd: ['/self'], timeout: 5 });
		const ended = await answer.then(
			({ exit_code }) => exit_code,
			() => -1,
		);
		assert.notEqual(ended, 0, 'the runtime ran inside');
	}
	assert.equal(await bed.sh(id, 'echo alive'), 'alive');
	await bed.cri.RemoveContainer({ container_id: id });
	assert.equal(digest(), before);
});

test('a container has no descriptor, no capability to inherit, and none of the groups of the daemon', async () => {
	const id = await bed.run(pod, { command: ['sleep', '1000'] });
	const script =
		'ls /proc/self/fd | tr "\\n" " "; grep -E "^(CapInh|CapAmb)" /proc/self/status | cut -f2 | tr "\\n" " "; id -G';
	const found = await bed.sh(id, script);
	assert.match(found, /^0 1 2 3 0000000000000000 0000000000000000 0/);
	assert.equal(
		(await bed.runScript(pod, 'ls -l /proc/1/fd | grep -c -E "socket|anon_inode|memfd"; true')).text,
		'0',
	);
});

test('cgroups cannot be mounted, and no program is named to the kernel', async () => {
	const files =
		'/sys/fs/cgroup/release_agent /sys/fs/cgroup/*/release_agent /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /sys/kernel/uevent_helper';
	const script = `mkdir /tmp/cg; for type in cgroup cgroup2; do mount -t $type x /tmp/cg 2>/dev/null || echo refused; done
		for file in ${files}; do test -e $file && cat $file 2>/dev/null | tee $file >/dev/null 2>&1 && echo written $file; done; true`;
	const security_context = { masked_paths: [...MASKED_PATHS], readonly_paths: [...READONLY_PATHS] };
	const { text } = await bed.runScript(pod, script, { linux: { security_context } });
	assert.equal(text, 'refused\nrefused');
});

test('sysctls of a pod stay in its namespaces, whatever their values hold', async () => {
	const pattern = () => readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
	const before = pattern();
	for (const sysctls of [
		{ 'kernel.core_pattern': '|/evil' },
		{ 'kernel/core_pattern': '|/evil' },
		{ 'kernel.shm_rmid_forced': '1+kernel.core_pattern=|/evil #' },
		{ 'net.ipv4.ip_forward': '1\nkernel.core_pattern = |/evil' },
		{ 'net.ipv4/../../kernel/core_pattern': '|/evil' },
		{ 'net...kernel.core_pattern': '|/evil' },
	]) {
		const config = bed.podConfig({ linux: { sysctls } });
		const answer = await bed.cri.RunPodSandbox({ config }).catch((error: Error) => error);
		if (!(answer instanceof Error)) await bed.cri.RemovePodSandbox({ pod_sandbox_id: answer.pod_sandbox_id });
		assert.ok(answer instanceof Error, JSON.stringify(sysctls));
		assert.equal(pattern(), before);
	}
});

test('annotations and labels are told to nobody who acts on them', async () => {
	const annotations = {
		'org.systemd.property.ExecStart': `'["/bin/touch", "${victim}/made"]'`,
		'run.oci.hooks.stderr': join(victim, 'made'),
		'io.kubernetes.cri-o.Devices': '/dev/kmsg',
		'module.wasm.image/variant': 'compat',
		$bigint: '5',
	};
	const other = await bed.runPod({ annotations, labels: { $bytes: 'x' } });
	const { text } = await bed.runScript(other, 'test -e /dev/kmsg || echo none', { annotations });
	assert.equal(text, 'none');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: other });
});

test('what an exec prints is taken up to a limit, and the rest is not kept', async () => {
	const id = await bed.run(pod, { command: ['sleep', '1000'] });
	const answer = await bed.cri.ExecSync({
		container_id: id,
		cmd: ['sh', '-c', 'yes | head -c 60000000'],
		timeout: 60,
	});
	assert.ok(answer.stdout.length <= 16 * 1024 * 1024, `${answer.stdout.length}`);
});

test('nobody but root may go into the folders of state, layers and logs that the daemon makes', () => {
	const closed = (path: string) => (statSync(path).mode & 0o077) === 0;
	for (const name of ['root/containers', 'root/sandboxes', 'state/containers', 'state/sandboxes'])
		assert.ok(closed(join(bed.folder, name)) || closed(join(bed.folder, name.split('/')[0] ?? '')), name);
});
