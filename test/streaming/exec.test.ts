/** Exec over both transports, with a client of our own. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { failureOf, TestBed } from '../lifecycle/harness.ts';
import { type Refused, upgradeToSpdy } from '../support/spdy-client.ts';
import { until } from '../support/until.ts';
import { type CommandClient, type CommandOptions, connectCommand, type Transport } from './command-client.ts';

const SUCCESS = { metadata: {}, status: 'Success' };

describe('exec', () => {
	let bed: TestBed;
	let pod = '';
	let container = '';
	before(async () => {
		bed = await TestBed.start(['streaming.token_ttl_seconds=3600']);
		pod = await bed.runPod();
		container = await bed.run(pod);
	});
	after(() => bed[Symbol.asyncDispose]());

	async function urlOf(
		cmd: readonly string[],
		options: Omit<CommandOptions, 'transport'> = {},
	): Promise<string> {
		const { stdin = false, stdout = true, tty = false, stderr = !tty } = options;
		return (await bed.cri.Exec({ container_id: container, cmd, stdin, stdout, stderr, tty })).url;
	}
	async function exec(cmd: readonly string[], options: CommandOptions): Promise<CommandClient> {
		return await connectCommand(await urlOf(cmd, options), options);
	}
	const sh = (script: string, options: CommandOptions) => exec(['sh', '-c', script], options);
	const openStreams = async () =>
		Number(/^gantry_open_streams\{kind="exec"\} (\d+)$/m.exec((await bed.daemon.metrics.render()).text)?.[1]);

	for (const transport of ['spdy', 'websocket'] satisfies Transport[])
		describe(`over ${transport}`, () => {
			it('passes on both outputs and success', async () => {
				const client = await sh('echo out; echo err >&2', { transport });
				assert.deepEqual(JSON.parse(await client.status()), SUCCESS);
				assert.equal(client.stdout(), 'out\n');
				assert.equal(client.stderr(), 'err\n');
			});

			it('tells the exit code, and a signal as the shell does', async () => {
				const failed = JSON.parse(await (await sh('exit 7', { transport })).status());
				assert.equal(failed.status, 'Failure');
				assert.equal(failed.reason, 'NonZeroExitCode');
				assert.deepEqual(failed.details.causes, [{ reason: 'ExitCode', message: '7' }]);
				const killed = JSON.parse(await (await sh('kill -KILL $$', { transport })).status());
				assert.equal(killed.details.causes[0].message, '137');
			});

			it('says that there is no such program', async () => {
				const { status, reason, message } = JSON.parse(
					await (await exec(['no-such-program'], { transport })).status(),
				);
				assert.equal(status, 'Failure');
				assert.equal(reason, 'InternalError');
				assert.match(
					message,
					/error executing command in container: .*"no-such-program": executable file not found/,
				);
			});

			it('passes on stdin and its end, whole', async () => {
				const client = await exec(['wc', '-c'], { transport, stdin: true });
				for (let count = 0; count < 50; count++) client.write(Buffer.alloc(70_000, 'x'));
				client.endStdin();
				assert.deepEqual(JSON.parse(await client.status()), SUCCESS);
				assert.equal(client.stdout(), '3500000\n');
			});

			it('gives a terminal that is resized', async () => {
				const script =
					'until busybox stty size | grep "45 123"; do sleep 0.01; done; echo $TERM; test -t 0 && test -t 1 && test -t 2 && echo all';
				const client = await sh(script, { transport, stdin: true, tty: true });
				client.resize(123, 45);
				assert.deepEqual(JSON.parse(await client.status()), SUCCESS);
				assert.match(client.stdout(), /45 123\r\nxterm\r\nall\r\n$/);
			});

			it('takes no harm from a size for what has no terminal or has ended, or that is none', async () => {
				const client = await sh('read go', { transport, stdin: true, tty: true });
				client.resize(70_000, 1);
				client.resize(80, 25);
				client.write('go\n');
				assert.deepEqual(JSON.parse(await client.status()), SUCCESS);
				client.resize(80, 25);
				const other = await sh('exit 3', { transport, stdin: true, tty: true });
				for (let rows = 1; rows < 50; rows++) other.resize(80, rows);
				assert.match(await other.status(), /"message":"3"/);
			});

			for (const [kind, blocks] of Object.entries({ quiet: false, 'whose stdin is full': true }))
				it(`ends a command ${kind} when its client is gone`, async () => {
					const client = await sh('echo $$; exec sleep 2000', { transport, stdin: true });
					await until('it runs', () => client.stdout() !== '');
					if (blocks) for (let count = 0; count < 100; count++) client.write(Buffer.alloc(65536));
					client.vanish();
					await until('the stream is closed', async () => (await openStreams()) === 0);
					const left = await bed.sh(container, "ps | grep '[s]leep 2000' || true");
					assert.equal(left, '');
				});

			it('lets a slow reader make the command wait, and loses nothing', async () => {
				const written = `/tmp/written-${transport}`;
				const client = await sh(`head -c 50000000 /dev/zero; touch ${written}`, { transport });
				client.pause();
				for (let look = 0; look < 10; look++)
					assert.equal(await bed.sh(container, `test -e ${written} || echo no`), 'no');
				client.resume();
				assert.deepEqual(JSON.parse(await client.status()), SUCCESS);
				assert.equal(client.receivedBytes(), 50_000_000);
			});

			it('takes no more of a stdin than a slow command reads, and loses nothing', async () => {
				const go = `/tmp/go-${transport}`;
				const client = await sh(`until [ -e ${go} ]; do sleep 0.05; done; wc -c`, { transport, stdin: true });
				for (let count = 0; count < 500; count++) client.write(Buffer.alloc(100_000));
				for (let look = 0; look < 10; look++) await bed.sh(container, 'true');
				assert.ok(client.unsentBytes() > 30_000_000, `${client.unsentBytes()} wait at the client`);
				await bed.sh(container, `touch ${go}`);
				if (transport === 'spdy') client.endStdin();
				else client.endStdin();
				assert.deepEqual(JSON.parse(await client.status()), SUCCESS);
				assert.equal(client.stdout(), '50000000\n');
			});
		});

	for (const protocol of ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'])
		it(`speaks ${protocol} over SPDY`, async () => {
			const client = await sh('cat; exit 5', { transport: 'spdy', protocol, stdin: true });
			assert.equal(client.protocol, protocol);
			client.write('through');
			client.endStdin();
			const status = await client.status();
			assert.match(status, protocol.startsWith('v4') ? /"message":"5"/ : /^command terminated .*: 5$/);
			assert.equal(client.stdout(), 'through');
		});

	for (const protocol of [
		'v4.channel.k8s.io',
		'v4.base64.channel.k8s.io',
		'base64.channel.k8s.io',
		'channel.k8s.io',
		'',
	])
		it(`speaks ${protocol || 'no protocol'} over a WebSocket`, async () => {
			const client = await sh('head -c 7; exit 5', { transport: 'websocket', protocol, stdin: true });
			assert.equal(client.protocol, protocol);
			client.write('through and more');
			const status = await client.status();
			assert.match(status, protocol.startsWith('v4') ? /"message":"5"/ : /^command terminated .*: 5$/);
			assert.equal(client.stdout(), 'through');
		});

	it('chooses the first protocol of the client that it knows, and names its own when there is none', async () => {
		const url = await urlOf(['true']);
		await assert.rejects(upgradeToSpdy(url, ['v9.channel.k8s.io']), (error: Refused) => {
			assert.equal(error.code, 403);
			assert.match(String(error.headers['x-accepted-stream-protocol-versions']), /v5\.channel\.k8s\.io/);
			return true;
		});
		// Nothing was opened, so that the URL is still good.
		const { socket, protocol } = await upgradeToSpdy(url, [
			'v9.channel.k8s.io',
			'v3.channel.k8s.io',
			'v4.channel.k8s.io',
		]);
		assert.equal(protocol, 'v3.channel.k8s.io');
		socket.destroy();
	});

	it('refuses a URL that was used, is altered, or belongs to another call', async () => {
		const url = await urlOf(['true']);
		const last = url.at(-1) === 'A' ? 'B' : 'A';
		const notGood = (error: Refused) =>
			error.code === 404 && /used already, is older than|was altered/.test(error.message);
		for (const altered of [url.slice(0, -1) + last, url.replace('/exec/', '/attach/'), `${url}x`, `${url}/`])
			await assert.rejects(connectCommand(altered, { transport: 'spdy' }), notGood, altered);
		await (await connectCommand(url, { transport: 'spdy' })).status();
		await assert.rejects(connectCommand(url, { transport: 'spdy' }), notGood);
		await assert.rejects(connectCommand(url, { transport: 'websocket' }), notGood);
	});

	it('refuses a request that is no upgrade', async () => {
		const url = await urlOf(['true']);
		assert.equal((await fetch(url)).status, 400);
		assert.equal((await fetch(url, { method: 'PUT' })).status, 405);
		assert.equal((await fetch(new URL('/', url))).status, 404);
		await (await connectCommand(url, { transport: 'spdy' })).status();
	});

	it('refuses what the CRI does not allow', async () => {
		const ask = (request: object) =>
			failureOf(bed.cri.Exec({ container_id: container, cmd: ['true'], stdout: true, ...request }));
		assert.match((await ask({ stdout: false })).message, /stdin, stdout and stderr/);
		assert.match((await ask({ tty: true, stderr: true })).message, /tty and stderr/);
		assert.match((await ask({ cmd: [] })).message, /cmd is empty/);
		assert.equal((await ask({ container_id: 'none' })).condition, 'NOT_FOUND');
		const created = await bed.create(pod);
		const early = await ask({ container_id: created });
		assert.equal(early.condition, 'FAILED_PRECONDITION');
		assert.match(early.message, /it is created/);
	});

	it('tells of a container that is removed between the call and the connection, and while it runs', async () => {
		const doomed = await bed.run(pod);
		const ask = () =>
			bed.cri.Exec({ container_id: doomed, cmd: ['sleep', '2000'], stdout: true, stderr: true });
		const running = await connectCommand((await ask()).url, { transport: 'spdy' });
		const { url } = await ask();
		await bed.cri.RemoveContainer({ container_id: doomed });
		assert.match(await running.status(), /"status":"Failure"/);
		const late = await connectCommand(url, { transport: 'spdy' });
		assert.match(await late.status(), /was removed meanwhile/);
	});
});
