import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { OciResources, Shim } from '#runtime';
import { deviceProgram } from '../../runtime/cgroup/device-program.ts';
import { normalizeRules } from '../../runtime/cgroup/devices.ts';
import { Machine, type Made, MOUNTS, until } from './machine.ts';

let machine: Machine;
let shim: Shim;
before(async () => {
	machine = await Machine.open();
	shim = await machine.shim();
});
after(async () => {
	await machine?.[Symbol.asyncDispose]();
});

/** A device that root may open unless a cgroup forbids it. */
const FUSE = { type: 'c', path: '/dev/fuse', major: 10, minor: 229 } as const;

const parts = (resources: OciResources) => ({
	linux: { namespaces: (['pid', 'mount', 'cgroup'] as const).map((type) => ({ type })), resources },
});
const pathOf = (made: Made) => `/${machine.instance}/${machine.instance}-${made.id}`;

/** A file of the cgroup as the kernel shows it: `controller` is where it lies on v1. */
async function value(made: Made, controller: string, v1: string, v2: string): Promise<string> {
	const folder = machine.cgroups.version === 2 ? '' : controller;
	const root = machine.cgroups.layout.mountRoot;
	return (
		await readFile(join(root, folder, pathOf(made), machine.cgroups.version === 2 ? v2 : v1), 'utf8')
	).trim();
}

test('limits stand in the kernel before the program runs; updates are all or nothing', async () => {
	const limits = {
		cpu: { shares: 512, quota: 50000, period: 100000 },
		memory: { limit: 64 << 20, swap: 64 << 20 },
		pids: { limit: 20 },
	};
	const made = await machine.create(shim, machine.spec('exec sleep 1000', parts(limits)));
	assert.equal(await value(made, 'pids', 'pids.max', 'pids.max'), '20');
	assert.equal(await value(made, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(64 << 20));
	await shim.start(made.id);
	assert.deepEqual((await machine.cgroups.processes(pathOf(made))).length, 1);
	const grown = {
		memory: { limit: 128 << 20, swap: 128 << 20 },
		pids: { limit: 30 },
		cpu: { quota: 150000, period: 100000 },
	};
	await machine.cgroups.update(pathOf(made), grown);
	assert.equal(await value(made, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(128 << 20));
	await machine.cgroups.update(pathOf(made), { memory: { limit: 32 << 20, swap: 32 << 20 } });
	assert.equal(await value(made, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(32 << 20));
	await assert.rejects(machine.cgroups.update(pathOf(made), { pids: { limit: 40 }, cpu: { cpus: '4000' } }), {
		condition: 'FAILED_PRECONDITION',
		message: /cpuset\.cpus/,
	});
	assert.equal(await value(made, 'pids', 'pids.max', 'pids.max'), '30');
	await shim.delete(made.id);
	await assert.rejects(machine.cgroups.update(pathOf(made), { pids: { limit: 1 } }), {
		condition: 'NOT_FOUND',
	});
});

test('statistics of what runs', async () => {
	const made = await machine.create(
		shim,
		machine.spec(
			'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; exec sleep 1000',
			parts({ pids: { limit: 9 }, memory: { limit: 50 << 20 } }),
		),
	);
	await shim.start(made.id);
	await until('the loop is done', async () => (await made.log()).stdout.includes('done'));
	const stats = machine.cgroups.stats(pathOf(made));
	assert.ok(stats.cpu.usageNs > 0n && stats.cpu.usageNs < 60_000_000_000n);
	assert.ok(stats.memory.usageBytes > 0n);
	assert.equal(stats.memory.limitBytes, BigInt(50 << 20));
	assert.deepEqual(stats.pids, { current: 1n, limit: 9n });
	assert.equal(await machine.cgroups.oomKills(pathOf(made)), 0);
	await shim.delete(made.id);
});

test('an OOM kill is counted', async () => {
	const made = await machine.create(
		shim,
		machine.spec(
			'dd if=/dev/zero of=/dev/null bs=100M count=1; exec sleep 1000',
			parts({ memory: { limit: 16 << 20, swap: 16 << 20 } }),
		),
	);
	await shim.start(made.id);
	await until('an OOM kill', async () => (await machine.cgroups.oomKills(pathOf(made))) > 0);
	await shim.delete(made.id);
});

test('devices: what is denied cannot be opened, what the runtime supplies can', async () => {
	const { stdout, stderr } = await machine.run(
		shim,
		machine.spec(
			'true < /dev/fuse; head -c 1 /dev/zero | wc -c; head -c 1 /dev/mine | wc -c; mknod /dev/x c 1 5 && echo made',
			{
				linux: {
					namespaces: [{ type: 'pid' }, { type: 'mount' }],
					devices: [FUSE, { type: 'c', path: '/dev/mine', major: 1, minor: 5 }],
					resources: { devices: [{ allow: false, access: 'rwm' }] },
				},
			},
		),
	);
	assert.match(stderr, /fuse: Operation not permitted/);
	assert.equal(stdout, '1\n1\nmade\n');
});

const NOTHING = { allow: false, access: 'rwm' };
for (const [what, rules, opens] of [
	['nothing', [NOTHING], false],
	[
		'its major number',
		[NOTHING, { allow: true, type: 'c', major: 10, access: 'r' }, { allow: true, type: 'b' }],
		true,
	],
	['another access', [NOTHING, { allow: true, type: 'c', major: 10, minor: 229, access: 'w' }], false],
] as const) {
	test(`a device program of v2 is accepted by the kernel and works: it allows ${what}`, async (context) => {
		const unified = machine.cgroups.members(`/${machine.instance}`).find(({ v2 }) => v2);
		if (unified === undefined) return context.skip('no v2 hierarchy is mounted');
		const made = await machine.idle(shim, {
			linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }], devices: [FUSE] },
		});
		const open = () => machine.exec(made, ['sh', '-c', 'true < /dev/zero && true < /dev/fuse && echo open']);
		assert.equal((await open()).stdout, 'open\n');
		const path = join(unified.path, `${machine.instance}-${made.id}`);
		await machine.launcher.teardown([
			{ op: 'cgroup_devices', path, program: deviceProgram(normalizeRules(rules)) },
		]);
		const { stdout, stderr } = await open();
		assert.equal(stdout, opens ? 'open\n' : '');
		if (!opens) assert.match(stderr, /fuse: Operation not permitted/);
		await shim.delete(made.id);
	});
}

for (const namespace of [true, false]) {
	test(`a cgroup mount ${namespace ? 'with' : 'without'} a cgroup namespace`, async () => {
		const made = await machine.create(
			shim,
			machine.spec(
				'ls /sys/fs/cgroup; touch /sys/fs/cgroup/x 2>&1; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; cut -d: -f3 /proc/self/cgroup | sort -u',
				{
					mounts: [
						...MOUNTS,
						{
							destination: '/sys/fs/cgroup',
							type: 'cgroup',
							source: 'cgroup',
							options: ['nosuid', 'noexec', 'nodev', 'ro'],
						},
					],
					linux: {
						namespaces: [
							{ type: 'pid' },
							{ type: 'mount' },
							...(namespace ? [{ type: 'cgroup' } as const] : []),
						],
						resources: { pids: { limit: 17 } },
					},
				},
			),
		);
		await shim.start(made.id);
		await made.exit;
		const { stdout, stderr } = await made.log();
		assert.match(stdout, /touch: \/sys\/fs\/cgroup\/x: Read-only file system/, stderr);
		if (machine.cgroups.version === 1 || namespace) assert.match(stdout, /\n17\n/);
		assert.equal(stdout.trim().split('\n').at(-1), namespace ? '/' : pathOf(made));
		await shim.delete(made.id);
	});
}

test('a limit that the machine cannot keep is refused before anything is made', async () => {
	const impossible: OciResources =
		machine.cgroups.version === 1 ? { unified: { 'memory.high': '1' } } : { cpu: { realtimeRuntime: 1 } };
	await assert.rejects(machine.create(shim, machine.spec('true', parts(impossible))), {
		condition: 'FAILED_PRECONDITION',
	});
	assert.deepEqual(await machine.leftovers(), []);
});
