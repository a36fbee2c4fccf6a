import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { openCgroups } from './cgroups.ts';

let root: string;
beforeEach(async () => {
	root = await mkdtemp(join(tmpdir(), 'gantry-cgroups-'));
});
afterEach(async () => {
	await rm(root, { recursive: true });
});

async function put(files: Readonly<Record<string, string>>): Promise<void> {
	for (const [path, text] of Object.entries(files)) {
		await mkdir(dirname(join(root, path)), { recursive: true });
		await writeFile(join(root, path), text);
	}
}
const text = (path: string) => readFile(join(root, path), 'utf8');

async function openV1() {
	await put({
		'cpu,cpuacct/cgroup.procs': '',
		'memory/cgroup.procs': '',
		'memory/memory.memsw.limit_in_bytes': '',
		'pids/cgroup.procs': '',
		'blkio/cgroup.procs': '',
		'blkio/blkio.bfq.io_serviced': '',
		'systemd/cgroup.procs': '',
		'unified/cgroup.procs': '',
		'unified/cgroup.controllers': '\n',
	});
	await symlink('cpu,cpuacct', join(root, 'cpu'));
	return await openCgroups({ mountRoot: root });
}

async function openV2() {
	await put({
		'cgroup.controllers': 'cpu memory pids io\n',
		'cgroup.procs': '',
		'x/memory.max': '',
		'x/memory.swap.max': '',
	});
	return await openCgroups({ mountRoot: root });
}

test('a hybrid machine: v1 controllers, those mounted together once, the v2 tree beside them', async () => {
	const cgroups = await openV1();
	assert.equal(cgroups.version, 1);
	assert.deepEqual([...cgroups.controllers].toSorted(), ['blkio', 'cpu', 'cpuacct', 'memory', 'pids']);
	assert.deepEqual(
		cgroups.folders('/a/b').map((folder) => folder.slice(root.length)),
		['unified', 'blkio', 'cpu,cpuacct', 'memory', 'pids', 'systemd'].map((name) => `/${name}/a/b`),
	);
	assert.deepEqual(cgroups.members('a')[0], { path: `${root}/unified/a`, v2: true });
	assert.deepEqual([cgroups.layout.swap, cgroups.layout.bfq], [true, true]);
});

test('a v2 machine', async () => {
	const cgroups = await openV2();
	assert.equal(cgroups.version, 2);
	assert.deepEqual(cgroups.folders('/a'), [`${root}/a`]);
	assert.equal(cgroups.layout.swap, true);
});

test('no cgroups at all', async () => {
	await assert.rejects(openCgroups({ mountRoot: root }), {
		condition: 'FAILED_PRECONDITION',
		message: /no hierarchy is mounted/,
	});
});

test('v1 statistics', async () => {
	const cgroups = await openV1();
	await put({
		'cpu,cpuacct/a/cpuacct.usage': '5000\n',
		'cpu,cpuacct/a/cpuacct.usage_user': '3000\n',
		'cpu,cpuacct/a/cpuacct.usage_sys': '2000\n',
		'cpu,cpuacct/a/cpu.stat': 'nr_periods 10\nnr_throttled 4\nthrottled_time 77\n',
		'memory/a/memory.usage_in_bytes': '1000\n',
		'memory/a/memory.limit_in_bytes': '9223372036854771712\n',
		'memory/a/memory.memsw.usage_in_bytes': '1300\n',
		'memory/a/memory.stat': 'cache 600\nrss 1\ntotal_rss 400\ntotal_inactive_file 250\ntotal_pgfault 8\n',
		'memory/a/memory.kmem.usage_in_bytes': '64\n',
		'memory/a/memory.failcnt': '9\n',
		'memory/a/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
		'pids/a/pids.current': '7\n',
		'pids/a/pids.max': 'max\n',
		'blkio/a/blkio.throttle.io_service_bytes_recursive':
			'8:0 Read 4096\n8:0 Write 512\n8:0 Total 4608\nTotal 4608\n',
		'blkio/a/blkio.throttle.io_serviced_recursive': '8:0 Read 1\n8:0 Write 2\nTotal 3\n',
		'unified/a/cpu.pressure': 'some avg10=1.50 avg60=0.00 avg300=0.00 total=99\n',
	});
	const stats = cgroups.stats('/a');
	assert.deepEqual(stats.cpu, {
		usageNs: 5000n,
		userNs: 3000n,
		systemNs: 2000n,
		periods: 10n,
		throttledPeriods: 4n,
		throttledNs: 77n,
		pressure: {
			some: { avg10: 1.5, avg60: 0, avg300: 0, totalUs: 99n },
			full: { avg10: 0, avg60: 0, avg300: 0, totalUs: 0n },
		},
	});
	assert.equal(stats.memory.workingSetBytes, 750n);
	assert.equal(stats.memory.rssBytes, 400n);
	assert.equal(stats.memory.limitBytes, undefined);
	assert.equal(stats.memory.swapUsageBytes, 300n);
	assert.deepEqual([stats.memory.kernelBytes, stats.memory.limitHits, stats.memory.oomKills], [64n, 9n, 3n]);
	assert.deepEqual(stats.pids, { current: 7n });
	assert.deepEqual(stats.io.devices, [
		{ major: 8, minor: 0, readBytes: 4096n, writeBytes: 512n, reads: 1n, writes: 2n },
	]);
	assert.equal(await cgroups.oomKills('/a'), 3);
	assert.equal(await cgroups.oomKills('/gone'), 0);
});

test('v2 statistics', async () => {
	const cgroups = await openV2();
	await put({
		'a/cpu.stat':
			'usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 1\nnr_throttled 1\nthrottled_usec 9\n',
		'a/memory.current': '1000\n',
		'a/memory.max': '2000\n',
		'a/memory.swap.current': '10\n',
		'a/memory.stat':
			'anon 400\nfile 500\ninactive_file 1500\nfile_mapped 20\npgfault 3\npgmajfault 1\nkernel_stack 4\nslab 6\n',
		'a/memory.events': 'low 0\nmax 9\noom 2\noom_kill 1\n',
		'a/pids.current': '2\n',
		'a/pids.max': '10\n',
		'a/io.stat': '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n',
		'a/hugetlb.2MB.current': '4096\n',
	});
	const stats = cgroups.stats('/a');
	assert.equal(stats.cpu.usageNs, 5000n);
	assert.equal(stats.memory.workingSetBytes, 0n);
	assert.equal(stats.memory.limitBytes, 2000n);
	assert.equal(stats.memory.swapUsageBytes, 10n);
	assert.deepEqual([stats.memory.kernelBytes, stats.memory.limitHits, stats.memory.oomKills], [10n, 9n, 1n]);
	assert.deepEqual(stats.pids, { current: 2n, limit: 10n });
	assert.deepEqual(stats.io.devices, [
		{ major: 8, minor: 0, readBytes: 1n, writeBytes: 2n, reads: 3n, writes: 4n },
	]);
	assert.deepEqual(stats.hugetlb, [{ pageSize: '2MB', usageBytes: 4096n, maxUsageBytes: 4096n }]);
	assert.equal(await cgroups.oomKills('/a'), 1);
});

test('an update that fails half way puts back what it wrote', async () => {
	const cgroups = await openV2();
	await put({ 'a/cpu.weight': '100\n', 'a/memory.max': 'max\n' });
	await assert.rejects(
		cgroups.update('/a', { cpu: { shares: 2048 }, memory: { limit: 4096 }, pids: { limit: 5 } }),
		{
			condition: 'FAILED_PRECONDITION',
			message: /Cannot write 5 to .*pids\.max.*no such limit/,
		},
	);
	assert.deepEqual([await text('a/cpu.weight'), await text('a/memory.max')], ['100', 'max']);
});

test('an update writes every limit and leaves the others', async () => {
	const cgroups = await openV2();
	await put({ 'a/cpu.weight': '', 'a/memory.max': '', 'a/pids.max': 'max' });
	await cgroups.update('/a', { cpu: { shares: 1024 }, memory: { limit: 4096 } });
	assert.deepEqual(
		[await text('a/cpu.weight'), await text('a/memory.max'), await text('a/pids.max')],
		['100', '4096', 'max'],
	);
});

test('devices cannot be updated, limits of a missing controller are refused before anything is written', async () => {
	const cgroups = await openV2();
	await assert.rejects(cgroups.update('/a', { devices: [] }), { condition: 'UNIMPLEMENTED' });
	assert.throws(() => cgroups.check({ cpu: { cpus: '0' } }), {
		condition: 'FAILED_PRECONDITION',
		message: /cpu\.cpus.*cpuset/,
	});
});

test('processes and cgroups below', async () => {
	const cgroups = await openV2();
	await put({
		'g/g-1/cgroup.procs': '1\n2\n',
		'g/g-1/sub/cgroup.procs': '3\n',
		'g/other/cgroup.procs': '9\n',
	});
	assert.deepEqual(await cgroups.processes('/g/g-1'), [1, 2, 3]);
	assert.deepEqual(await cgroups.find('/g', (name) => name.startsWith('g-')), ['/g/g-1']);
	assert.deepEqual(await cgroups.find('/', (name) => name === 'sub'), ['/g/g-1/sub']);
	assert.deepEqual(await cgroups.find('/gone', () => true), []);
});
