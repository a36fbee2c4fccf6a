/** Attach over both transports, with a client of our own. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ContainerConfigInit } from '#cri-api';
import { failureOf, TestBed } from '../lifecycle/harness.ts';
import { until } from '../support/until.ts';
import { type CommandClient, type CommandOptions, connectCommand, type Transport } from './command-client.ts';

const SUCCESS = { metadata: {}, status: 'Success' };
/** Answers each line of its stdin until that ends. */
const ECHO = 'while read line; do echo "got $line"; echo "err $line" >&2; done; exit 3';

describe('attach', () => {
	let bed: TestBed;
	let pod = '';
	before(async () => {
		bed = await TestBed.start();
		pod = await bed.runPod();
	});
	after(() => bed[Symbol.asyncDispose]());

	const run = (script: string, config: ContainerConfigInit = {}) =>
		bed.run(pod, { command: ['sh', '-c', script], ...config });
	async function attach(container_id: string, options: CommandOptions): Promise<CommandClient> {
		const { stdin = false, stdout = true, tty = false, stderr = !tty } = options;
		const { url } = await bed.cri.Attach({ container_id, stdin, stdout, stderr, tty });
		return await connectCommand(url, options);
	}
	const isRunning = async (container_id: string) =>
		(await bed.cri.ContainerStatus({ container_id })).status?.state === 'CONTAINER_RUNNING';

	for (const transport of ['spdy', 'websocket'] satisfies Transport[])
		describe(`over ${transport}`, () => {
			it('joins several clients, which come and go without harm', async () => {
				const id = await run(ECHO, { stdin: true });
				const [one, two] = await Promise.all([
					attach(id, { transport, stdin: true }),
					attach(id, { transport }),
				]);
				one.write('a\n');
				for (const client of [one, two])
					await until('both have both outputs', () => client.stdout() + client.stderr() === 'got a\nerr a\n');
				one.vanish();
				const three = await attach(id, { transport, stdin: true });
				three.write('b\n');
				await until('the others go on', () => /got b\n$/.test(two.stdout()) && three.stdout() === 'got b\n');
				// Not stdin-once: the end of one client's stdin is not the container's.
				three.endStdin();
				const four = await attach(id, { transport, stdin: true });
				four.write('c\n');
				await until('it still reads', () => /got c\n$/.test(two.stdout()));
				await bed.cri.StopContainer({ container_id: id, timeout: '0' });
				for (const client of [two, three, four]) assert.deepEqual(JSON.parse(await client.status()), SUCCESS);
				assert.equal(two.stdout(), 'got a\ngot b\ngot c\n');
			});

			it('closes the stdin of a container that reads it once', async () => {
				const id = await run(ECHO, { stdin: true, stdin_once: true });
				const client = await attach(id, { transport, stdin: true });
				client.write('only\n');
				client.endStdin();
				assert.deepEqual(JSON.parse(await client.status()), SUCCESS);
				assert.equal(client.stdout(), 'got only\n');
				await bed.daemon.containers.exited(id);
				assert.equal((await bed.cri.ContainerStatus({ container_id: id })).status?.exit_code, 3);
			});

			it('closes it too when that client is killed', async () => {
				const id = await run(ECHO, { stdin: true, stdin_once: true });
				const client = await attach(id, { transport, stdin: true });
				client.vanish();
				await bed.daemon.containers.exited(id);
			});

			it('misses nothing from the moment it is attached', async () => {
				const id = await run('read go; head -c 20000000 /dev/zero; sleep 1000', { stdin: true });
				const client = await attach(id, { transport, stdin: true });
				client.write('go\n');
				await until('all is there', () => client.receivedBytes() === 20_000_000);
				client.vanish();
				assert.ok(await isRunning(id));
				await bed.cri.RemoveContainer({ container_id: id });
			});

			it('joins a terminal, and sets its size', async () => {
				const script = 'while read line; do busybox stty size; done';
				const id = await run(script, { stdin: true, tty: true });
				const client = await attach(id, { transport, stdin: true, tty: true });
				client.resize(101, 51);
				await until('the size is told', () => {
					client.write('x\n');
					return /51 101\r\n/.test(client.stdout());
				});
				client.vanish();
				assert.ok(await isRunning(id));
				await bed.cri.RemoveContainer({ container_id: id });
			});
		});

	it('refuses what the CRI does not allow, and a stdin that there is not', async () => {
		const id = await run('sleep 1000');
		const ask = (request: object) =>
			failureOf(bed.cri.Attach({ container_id: id, stdout: true, ...request }));
		assert.match((await ask({ stdout: false })).message, /stdin, stdout and stderr/);
		assert.match((await ask({ tty: true, stderr: true })).message, /tty and stderr/);
		assert.match((await ask({ stdin: true })).message, /it was made without one/);
		assert.equal((await ask({ container_id: 'none' })).condition, 'NOT_FOUND');
		await bed.cri.StopContainer({ container_id: id, timeout: '0' });
		const ended = await ask({});
		assert.equal(ended.condition, 'FAILED_PRECONDITION');
		assert.match(ended.message, /it is exited/);
	});

	it('tells that a stdin is closed; the output can still be joined', async () => {
		const id = await run('while read line; do :; done; echo closed; sleep 1000', {
			stdin: true,
			stdin_once: true,
		});
		const first = await attach(id, { transport: 'spdy', stdin: true });
		first.endStdin();
		await until('it has seen the end', () => first.stdout() === 'closed\n');
		const second = await attach(id, { transport: 'spdy', stdin: true });
		assert.match(await second.status(), /it is closed; attach without stdin/);
		const third = await attach(id, { transport: 'spdy' });
		await bed.cri.StopContainer({ container_id: id, timeout: '0' });
		assert.deepEqual(JSON.parse(await third.status()), SUCCESS);
	});

	it('tells of a container that ended between the call and the connection', async () => {
		const id = await run('sleep 1000');
		const { url } = await bed.cri.Attach({ container_id: id, stdout: true, stderr: true });
		await bed.cri.StopContainer({ container_id: id, timeout: '0' });
		const client = await connectCommand(url, { transport: 'spdy' });
		assert.match(
			await client.status(),
			/error attaching to container: Cannot attach to container .*: it is exited/,
		);
	});
});
