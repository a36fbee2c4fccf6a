import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodePlan } from '../../runtime/shim/codec.ts';
import { CONSTANTS } from '../../runtime/shim/schema.ts';
import { seeded } from '../support/random.ts';
import { type Connection, execPlan, Fixture, plan, Refused, teardown } from './support.ts';

const SCRIPTS = [
	'exit 3',
	'sleep 100',
	'yes | head -c 300000',
	'cat',
	'sleep 0.01; kill -9 $$',
	'sleep 0.02 & echo x',
];

test('requests of many clients at random leave a working shim and nothing else', async () => {
	const shim = await Fixture.open();
	const ids = ['s0', 's1', 's2', 's3'];
	let answered = 0;
	const worker = async (seed: number) => {
		const { below: pick, of } = seeded(seed);
		const streams: Connection[] = [];
		const steps: ((id: string) => Promise<unknown>)[] = [
			(id) =>
				shim.create(id, plan({ rootfs: shim.rootfs, id, argv: ['sh', '-c', of(SCRIPTS)] }), { stdin: 1 }),
			(id) => shim.start(id),
			(id) => shim.control.call('KILL', { id, signal: of([9, 15, 0]), all: pick(2) }, 'OK'),
			(id) => shim.delete(id),
			async (id) => {
				const flags = of([0, CONSTANTS.EXEC_STDIN, CONSTANTS.EXEC_KILL_ON_CLOSE]);
				const connection = await shim.dial();
				streams.push(connection);
				if (pick(3) === 0) connection.pause();
				const options = { exec_id: 'e', flags, timeout_ms: of([0, 20]), drain_ms: of([0, 10]) };
				await connection.ask('EXEC', {
					id,
					...options,
					plan: encodePlan(execPlan(id, ['sh', '-c', of(SCRIPTS)])),
				});
			},
			async (id) => {
				const connection = await shim.dial();
				streams.push(connection);
				await connection.ask('ATTACH', { id, stdin: pick(2), stdout: 1, stderr: 1 });
				connection.send('STDIN', { data: Buffer.alloc(pick(100_000), 'x\n') });
			},
			(id) => shim.control.call('REOPEN_LOG', { id, log_path: shim.logPath(id) }, 'OK'),
			async () => {
				for (const stream of streams.splice(pick(streams.length + 1))) stream.close();
			},
		];
		for (let step = 0; step < 60; step++) {
			const wait = of(steps)(of(ids)).catch((error: unknown) => {
				if (!(error instanceof Refused) && !/closed before/.test(String(error))) throw error;
			});
			/* A paused stream may never hear its answer: go on after a while. */
			await Promise.race([wait, new Promise((resolve) => setTimeout(resolve, 100))]);
			answered++;
		}
		for (const stream of streams) stream.close();
	};
	await Promise.all([1, 2, 3, 4, 5].map(worker));
	assert.equal(answered, 300);
	for (const id of ids) {
		for (;;) {
			const busy = await shim.control.call('DELETE', { id, plan: encodePlan(teardown(id)) }, 'DELETED').then(
				() => false,
				(error: Refused) => error.errno === 16,
			);
			if (!busy) break;
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
	}
	/* Execs outlive a container only until the signal that follows it has come. */
	while (shim.children().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
	assert.deepEqual((await shim.control.call('LIST', {}, 'LISTED')).containers, []);
	await shim.close();
});
