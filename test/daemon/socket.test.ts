/** Clients that do what no client should: nobody else suffers, and what they took comes back. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, type StatusError } from '#base/errors.ts';
import { connectCri } from '../support/cri-client.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { until } from '../support/until.ts';

const descriptors = ({ process }: TestDaemon): number => readdirSync(`/proc/${process.child.pid}/fd`).length;

function residentMb({ process }: TestDaemon): number {
	const status = readFileSync(`/proc/${process.child.pid}/status`, 'utf8');
	return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

async function conditionOf(call: Promise<unknown>): Promise<string> {
	try {
		await call;
	} catch (error) {
		return (error as StatusError).condition;
	}
	return 'OK';
}

describe('a daemon with clients that misbehave', () => {
	let daemon: TestDaemon;
	let descriptorsBefore = 0;
	let memoryBefore = 0;
	before(async () => {
		daemon = await startTestDaemon({ config: 'grpc.max_message_bytes = 1048576\n' });
		await serves();
		descriptorsBefore = descriptors(daemon);
		memoryBefore = residentMb(daemon);
	});
	after(() => daemon[Symbol.asyncDispose]());

	/** For somebody else. */
	async function serves(): Promise<void> {
		assert.equal((await daemon.cri.Version({}, { timeoutMs: 20_000 })).runtime_name, 'gantry');
	}

	async function isAsBefore(): Promise<void> {
		await serves();
		await until('the descriptors came back', () => descriptors(daemon) <= descriptorsBefore + 2);
		const grown = residentMb(daemon) - memoryBefore;
		assert.ok(grown < 200, `its memory grew by ${Math.round(grown)} MB`);
	}

	const opened = new Set<Socket>();
	afterEach(() => {
		for (const socket of opened) socket.destroy();
		opened.clear();
	});

	/** EAGAIN: more wait to be accepted than the kernel keeps, because we are faster than the daemon. */
	async function open(): Promise<Socket> {
		for (let tries = 0; ; tries++) {
			const socket = connect(join(daemon.folder, 'cri.sock'));
			socket.on('error', () => {});
			opened.add(socket);
			try {
				await once(socket, 'connect');
				return socket;
			} catch (error) {
				if (errnoOf(error) !== 'EAGAIN' || tries === 1000) throw error;
			}
			await sleep(10);
		}
	}

	async function openMany(count: number): Promise<Socket[]> {
		const sockets: Socket[] = [];
		while (sockets.length < count) sockets.push(await open());
		return sockets;
	}

	it('a thousand connections that say nothing', async () => {
		const sockets = await openMany(1000);
		await until('it has them', () => descriptors(daemon) > descriptorsBefore + 900);
		await serves();
		for (const socket of sockets) socket.destroy();
		await isAsBefore();
	});

	it('bytes that are no HTTP/2, and HTTP/2 that stops in the middle of a frame', async () => {
		const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
		const openings = [
			Buffer.from('GET / HTTP/1.1\r\n\r\n'),
			randomBytes(65_536),
			Buffer.concat([preface, randomBytes(4096)]),
			Buffer.concat([preface, Buffer.from([0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 1])]),
			preface,
		];
		const sockets = await openMany(100);
		for (const [index, socket] of sockets.entries())
			socket.write(openings[index % openings.length] ?? preface);
		await serves();
		for (const socket of sockets) socket.destroy();
		await isAsBefore();
	});

	it('messages beyond the limit, which are refused by name', async () => {
		const huge = 'x'.repeat(2 * 1024 * 1024);
		for (let times = 0; times < 20; times++) {
			const call = daemon.cri.ImageStatus({ image: { image: huge } });
			assert.equal(await conditionOf(call), 'RESOURCE_EXHAUSTED');
		}
		await isAsBefore();
	});

	it('thousands of event streams on some connections, none of them read', async () => {
		const clients = Array.from({ length: 4 }, () => connectCri(daemon.address));
		const leave = new AbortController();
		const streams = clients.flatMap(({ GetContainerEvents }) =>
			Array.from({ length: 600 }, () =>
				GetContainerEvents({}, { signal: leave.signal })[Symbol.asyncIterator]().next(),
			),
		);
		const ended = streams.map((stream) => conditionOf(stream));
		assert.equal(await Promise.race(ended), 'RESOURCE_EXHAUSTED', 'those beyond the limit are refused');
		await serves();
		leave.abort();
		await Promise.all(ended);
		for (const { client } of clients) client.close();
		const again = new AbortController();
		await until('there is room for another reader', async () => {
			const first = daemon.cri
				.GetContainerEvents({}, { signal: again.signal })
				[Symbol.asyncIterator]()
				.next();
			const refused = conditionOf(first);
			await serves();
			return (await Promise.race([refused, Promise.resolve('reads')])) === 'reads';
		});
		again.abort();
		await isAsBefore();
	});
});

describe('who may use the socket', () => {
	const NOBODY = 65534;
	const GROUP = 4711;
	const CONNECT =
		'use IO::Socket::UNIX; exit(IO::Socket::UNIX->new(Peer => $ARGV[0]) ? 0 : $!{EACCES} ? 13 : 1)';

	/** Exit code of a client of another user: 0 connected, 13 refused. */
	function connectAs({ folder }: TestDaemon, gid: number): number {
		chmodSync(folder, 0o711);
		const ids = [`--reuid=${NOBODY}`, `--regid=${gid}`, '--clear-groups'];
		try {
			execFileSync('setpriv', [...ids, 'perl', '-e', CONNECT, join(folder, 'cri.sock')], { stdio: 'pipe' });
			return 0;
		} catch (error) {
			return (error as { status: number }).status;
		}
	}

	it('by default root alone, whatever the umask', async () => {
		const umask = process.umask(0);
		try {
			await using daemon = await startTestDaemon();
			assert.equal(statSync(join(daemon.folder, 'cri.sock')).mode & 0o777, 0o660);
			assert.equal(connectAs(daemon, NOBODY), 13);
		} finally {
			process.umask(umask);
		}
	});

	it('a group that the configuration names, and no other', async () => {
		await using daemon = await startTestDaemon({ config: `socket.gid = ${GROUP}\n` });
		assert.equal(connectAs(daemon, GROUP), 0);
		assert.equal(connectAs(daemon, NOBODY), 13);
	});

	it('everybody, when the mode says so; nobody but the owner, when it says that', async () => {
		{
			await using daemon = await startTestDaemon({ config: 'socket.mode = "0666"\n' });
			assert.equal(connectAs(daemon, NOBODY), 0);
		}
		await using daemon = await startTestDaemon({ config: `socket.mode = "0600"\nsocket.gid = ${GROUP}\n` });
		assert.equal(connectAs(daemon, GROUP), 13);
	});
});
