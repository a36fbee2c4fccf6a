import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CONSTANTS, OPS } from '../../runtime/shim/schema.ts';
import { CGROUPS, Fixture, hooks, INSTANCE, plan, type Refused } from './support.ts';

let shim: Fixture;
before(async () => {
	shim = await Fixture.open();
});
after(() => shim.close());

const entries = (id: string) =>
	shim
		.log(id)
		.trimEnd()
		.split('\n')
		.map((line) => line.replace(/^\S+ /, ''));
const sh = (id: string, script: string) => plan({ rootfs: shim.rootfs, id, argv: ['sh', '-c', script] });

test('create, start, output, exit and delete', async () => {
	const created = await shim.create('one', sh('one', 'echo out; echo err >&2; printf tail; exit 7'));
	assert.ok(created.pid > 0);
	assert.ok(created.timings.length > 5);
	assert.ok(created.timings.some(({ op }) => op === OPS.pivot.code));
	const started = await shim.start('one');
	assert.equal(started.hook_error, '');
	const exit = await shim.control.exited('one');
	assert.equal(exit.exit_code, 7);
	assert.equal(exit.signal, 0);
	assert.deepEqual(entries('one').toSorted(), ['stderr F err', 'stdout F out', 'stdout F tail']);
	assert.match(
		readFileSync(join(shim.containerFolder('one'), 'exit'), 'utf8'),
		/^pid=\d+\nexit_code=7\nsignal=0\nexited_at_ns=\d+\n$/,
	);
	const listed = await shim.control.call('LIST', {}, 'LISTED');
	assert.deepEqual(
		listed.containers.map(({ id, state, exit_code, exited_at_ns }) => [id, state, exit_code, exited_at_ns]),
		[['one', 3, 7, exit.exited_at_ns]],
	);
	await shim.delete('one');
	assert.ok(!existsSync(`/proc/${created.pid}`));
	assert.equal((await shim.control.call('LIST', {}, 'LISTED')).containers.length, 0);
});

test('a signal that ends it is told, and killing a stopped container is fine', async () => {
	await shim.create('sig', sh('sig', 'sleep 100'));
	await shim.start('sig');
	await shim.control.call('KILL', { id: 'sig', signal: 9, all: 0 }, 'OK');
	const exit = await shim.control.exited('sig');
	assert.deepEqual([exit.exit_code, exit.signal], [137, 9]);
	await shim.control.call('KILL', { id: 'sig', signal: 15, all: 1 }, 'OK');
	await shim.delete('sig');
});

test('a trapped signal reaches the program', async () => {
	await shim.create(
		'trap',
		sh('trap', 'trap "echo got; exit 3" TERM; echo ready; while :; do sleep 0.02; done'),
	);
	await shim.start('trap');
	while (!shim.log('trap').includes('ready')) await new Promise((resolve) => setTimeout(resolve, 5));
	await shim.control.call('KILL', { id: 'trap', signal: 15, all: 0 }, 'OK');
	assert.equal((await shim.control.exited('trap')).exit_code, 3);
	assert.ok(shim.log('trap').includes('got'));
	await shim.delete('trap');
});

test('kill of all reaches processes of their own session; delete kills what runs', async () => {
	const shared = plan({
		rootfs: shim.rootfs,
		id: 'all',
		argv: ['sh', '-c', 'setsid sleep 100 & setsid sleep 100 & sleep 100'],
		namespaces: 0x20000,
	});
	await shim.create('all', shared);
	await shim.start('all');
	const procs = () =>
		readFileSync(`${CGROUPS[0]?.root}/${INSTANCE}-all/cgroup.procs`, 'utf8')
			.trim()
			.split('\n')
			.filter(Boolean);
	while (procs().length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
	await shim.control.call('KILL', { id: 'all', signal: 9, all: 1 }, 'OK');
	await shim.control.exited('all');
	while (procs().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
	await shim.delete('all');
	await shim.create('del', sh('del', 'sleep 100'));
	await shim.start('del');
	await shim.delete('del');
	assert.equal((await shim.control.exited('del')).signal, 9);
});

test('a created container can be deleted without a start', async () => {
	const { pid } = await shim.create('never', sh('never', 'true'));
	await shim.delete('never');
	assert.ok(!existsSync(`/proc/${pid}`));
	assert.equal(shim.log('never'), '');
});

const startErrors: [string, readonly string[], number, RegExp][] = [
	['a missing program', ['nonesuch'], 2, /executable file not found in \$PATH/],
	['a missing path', ['/bin/nonesuch'], 2, /\/bin\/nonesuch: it does not exist/],
	['a folder', ['/etc'], 13, /it is a folder/],
	['a file that is no program', ['/etc/passwd'], 13, /no permission/],
];
for (const [name, argv, errno, message] of startErrors) {
	test(`start of ${name} says so and leaves an exit record`, async () => {
		const id = `bad${errno}${argv[0]?.length}`;
		await shim.create(id, plan({ rootfs: shim.rootfs, id, argv }));
		await assert.rejects(shim.start(id), (error: Refused) => {
			assert.equal(error.errno, errno);
			assert.equal(error.op, OPS.exec.code);
			assert.match(error.message, message);
			return true;
		});
		assert.equal((await shim.control.exited(id)).exit_code, errno === 2 ? 127 : 126);
		await shim.delete(id);
	});
}

test('requests that do not fit the state are refused', async () => {
	await assert.rejects(shim.start('none'), { errno: 2 });
	await assert.rejects(shim.control.call('KILL', { id: 'none', signal: 9, all: 0 }, 'OK'), { errno: 2 });
	await shim.create('twice', sh('twice', 'sleep 100'));
	await assert.rejects(shim.create('twice', sh('twice', 'true')), { errno: 17 });
	await shim.start('twice');
	await assert.rejects(shim.start('twice'), { errno: 22 });
	await assert.rejects(shim.control.call('SHUTDOWN', {}, 'OK'), { errno: 16 });
	await assert.rejects(shim.control.call('KILL', { id: 'twice', signal: 99, all: 0 }, 'OK'), { errno: 22 });
	await assert.rejects(shim.control.ask('TREE_REMOVE', { path: '/x' }), { errno: 95 });
	await shim.delete('twice');
	await shim.delete('twice');
});

test('two requests for one container at once: the second is busy, nothing is lost', async () => {
	const go = join(shim.containerFolder('race'), 'go');
	const held = plan({
		rootfs: shim.rootfs,
		id: 'race',
		argv: ['sleep', '100'],
		mounts: [hooks(CONSTANTS.HOOK_CREATE_RUNTIME, `until test -e ${go}; do sleep 0.01; done`)],
	});
	const first = shim.create('race', held);
	const busy = (error: Refused) => error.errno === 16 || error.errno === 17;
	await assert.rejects(shim.create('race', held), busy);
	await assert.rejects(shim.delete('race'), busy);
	writeFileSync(go, '');
	await first;
	/* The second may come when the first is done, and then finds nothing to do. */
	const deletes = await Promise.allSettled([shim.delete('race'), shim.delete('race')]);
	assert.equal(deletes[0].status, 'fulfilled');
	if (deletes[1].status === 'rejected') assert.equal(deletes[1].reason.errno, 16);
});

test('several containers are made at the same time', async () => {
	const ids = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6'];
	const exits = await Promise.all(ids.map((id, code) => shim.run(id, sh(id, `exit ${code}`))));
	assert.deepEqual(
		exits.map(({ exit_code }) => exit_code),
		[0, 1, 2, 3, 4, 5],
	);
	await Promise.all(ids.map((id) => shim.delete(id)));
});

test('the container goes on when the client that made it is gone, and its exit is kept', async () => {
	const other = await shim.dial();
	const { encodePlan } = await import('../../runtime/shim/codec.ts');
	other.send('CREATE', {
		id: 'orphan',
		folder: shim.containerFolder('orphan'),
		log_path: shim.logPath('orphan'),
		log_line_max: 0,
		terminal: 0,
		stdin: 0,
		stdin_once: 0,
		plan: encodePlan(sh('orphan', 'exit 5')),
	});
	await new Promise((resolve) => setTimeout(resolve, 5));
	other.close();
	const here = async () =>
		(await shim.control.call('LIST', {}, 'LISTED')).containers.some(({ id }) => id === 'orphan');
	while (!(await here())) await new Promise((resolve) => setTimeout(resolve, 5));
	await shim.start('orphan');
	assert.equal((await shim.control.exited('orphan')).exit_code, 5);
	const late = await shim.dial();
	assert.equal(
		(await late.call('SUBSCRIBE', {}, 'LISTED')).containers.find(({ id }) => id === 'orphan')?.exit_code,
		5,
	);
	late.close();
	await shim.delete('orphan');
});

test('a connection that speaks no protocol of ours is closed, others go on', async () => {
	const { connect } = await import('node:net');
	for (const bytes of [
		'hello\n'.repeat(10),
		Buffer.alloc(64),
		Buffer.from('ffffffffffffffffffffffff', 'hex'),
	]) {
		const socket = connect(shim.socketPath);
		socket.on('error', () => {});
		socket.write(bytes);
		await new Promise((resolve) => socket.once('close', resolve));
	}
	await shim.control.call('LIST', {}, 'LISTED');
});
