/** Port-forward by the shim: into the network namespace of a sandbox, and that of the host. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import type { ForwardStream, OciSpec, Shim } from '#runtime';
import { Machine, type Made, until } from './machine.ts';

const LISTENERS = [
	['127.0.0.1', 81, 'echo'],
	['::1', 82, 'echo'],
	['127.0.0.1', 83, 'greet'],
	['127.0.0.1', 84, 'count'],
	['127.0.0.1', 85, 'deaf'],
	['127.0.0.1', 86, 'talk'],
	['127.0.0.1', 87, 'reset'],
	['127.0.0.1', 88, 'silent'],
] as const;
const SERVER = new URL('port-server.ts', import.meta.url).pathname;
const TALKED_BYTES = 1024 * 65536;

type Namespaces = NonNullable<NonNullable<OciSpec['linux']>['namespaces']>;
const BOX: Namespaces = [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }];

/** What the server told. */
interface Told {
	readonly event: string;
	readonly port: number;
	readonly bytes?: number;
	readonly code?: string;
}

let machine: Machine;
let pod: Pod;
before(async () => {
	machine = await Machine.open();
	pod = await Pod.start();
});
after(async () => {
	await pod?.stop();
	await machine?.[Symbol.asyncDispose]();
});

/** A sandbox with a network namespace of its own, and servers in it. */
class Pod {
	readonly shim: Shim;
	readonly box: Made;
	readonly told: Told[] = [];
	#server: ChildProcess | undefined;

	private constructor(shim: Shim, box: Made) {
		this.shim = shim;
		this.box = box;
	}

	static async start(): Promise<Pod> {
		const shim = await machine.shim();
		const namespaces = [...BOX, { type: 'network' } as const];
		const box = await machine.idle(shim, { linux: { namespaces } }, { id: shim.sandboxId });
		const pod = new Pod(shim, box);
		await pod.inside('ip', 'link', 'set', 'lo', 'up');
		await pod.#serve();
		return pod;
	}

	get network(): Promise<string> {
		return this.shim.list().then(([container]) => `--net=/proc/${container?.process.pid}/ns/net`);
	}

	async inside(...argv: string[]): Promise<void> {
		execFileSync('nsenter', [await this.network, ...argv]);
	}

	async #serve(): Promise<void> {
		const server = spawn('nsenter', [
			await this.network,
			process.execPath,
			SERVER,
			...LISTENERS.flat().map(String),
		]);
		this.#server = server;
		server.stderr.pipe(process.stderr);
		createInterface(server.stdout).on('line', (line) => this.told.push(JSON.parse(line)));
		await until(
			'the servers listen',
			() => this.told.filter(({ event }) => event === 'listening').length === LISTENERS.length,
		);
	}

	hears(event: Partial<Told>): Promise<void> {
		return until(`the server tells ${JSON.stringify(event)}`, () =>
			this.told.some((told) =>
				Object.entries(event).every(([name, value]) => told[name as keyof Told] === value),
			),
		);
	}

	async stop(): Promise<void> {
		await this.shim.delete(this.box.id);
		this.#server?.kill('SIGKILL');
	}
}

async function read(stream: ForwardStream): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of stream.output) chunks.push(Buffer.from(chunk));
	return Buffer.concat(chunks).toString();
}

/** Says something, ends, and answers what came back. */
async function say(stream: ForwardStream, words: string): Promise<string> {
	const answer = read(stream);
	await stream.write(Buffer.from(words));
	await stream.end();
	return await answer;
}

test('127.0.0.1, and ::1 where nobody listens at that', async () => {
	for (const port of [81, 82]) {
		await using stream = await pod.shim.forward(port);
		assert.equal(await say(stream, `to port ${port}`), `to port ${port}`);
	}
});

test('nobody listens: an error that names port and sandbox', async () => {
	await assert.rejects(pod.shim.forward(99), {
		condition: 'UNAVAILABLE',
		message: `Cannot forward port 99 of sandbox ${pod.shim.sandboxId}: nobody listens there, neither at 127.0.0.1 nor at ::1`,
	});
	for (const port of [0, 65536, 1.5])
		await assert.rejects(pod.shim.forward(port), { condition: 'INVALID_ARGUMENT' });
});

test('a port that the kernel would connect to itself is refused all the same', async () => {
	await pod.inside('sysctl', '-qw', 'net.ipv4.ip_local_port_range=40002 40002');
	await assert.rejects(pod.shim.forward(40002), {
		condition: 'UNAVAILABLE',
		message: /nobody listens there/,
	});
	await pod.inside('sysctl', '-qw', 'net.ipv4.ip_local_port_range=32768 60999');
});

test('our side ends first: the answer still comes', async () => {
	await using stream = await pod.shim.forward(84);
	assert.equal(await say(stream, 'x'.repeat(100_000)), '100000');
});

test('the port ends first: it still hears us', async () => {
	await using stream = await pod.shim.forward(83);
	assert.equal(await read(stream), 'hello');
	await stream.write(Buffer.alloc(1_000_000));
	await stream.end();
	await pod.hears({ event: 'ended', port: 83, bytes: 1_000_000 });
});

test('200 connections at once, of which each gets its own, and no descriptor is left', async () => {
	const descriptors = () => readdirSync(`/proc/${pod.shim.process.pid}/fd`).length;
	const before = descriptors();
	await Promise.all(
		Array.from({ length: 200 }, async (_, index) => {
			await using stream = await pod.shim.forward(index % 2 === 0 ? 81 : 82);
			assert.equal(await say(stream, `${index} `.repeat(5000)), `${index} `.repeat(5000));
		}),
	);
	await until('the shim has as many descriptors as before', () => descriptors() === before);
});

test('a reader that is slow, and a port that does not read: neither fills the memory of the shim', async () => {
	const residentKib = () =>
		Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pod.shim.process.pid}/status`, 'utf8'))?.[1]);
	const before = residentKib();
	await using talking = await pod.shim.forward(86);
	const output = talking.output[Symbol.asyncIterator]();
	let got = (await output.next()).value.length;

	await using deaf = await pod.shim.forward(85);
	let written = 0;
	const writing = (async () => {
		for (; written < 512; written += 1) await deaf.write(Buffer.alloc(65536));
	})();
	writing.catch(() => {});
	let seen = -1;
	await until('nothing more is taken', async () => {
		const stands = written === seen;
		seen = written;
		await new Promise((resolve) => setTimeout(resolve, 100));
		return stands;
	});
	assert.ok(written < 512, 'all was taken by a port that does not read');
	const grown = residentKib() - before;
	assert.ok(grown < 4000, `the shim grew by ${grown} KiB`);

	for (let next = await output.next(); !next.done; next = await output.next()) got += next.value.length;
	assert.equal(got, TALKED_BYTES);
});

test('a port that resets the connection: reader and writer are told', async () => {
	await using stream = await pod.shim.forward(87);
	await stream.write(Buffer.from('x'));
	const broken = {
		condition: 'UNAVAILABLE',
		message: /^The connection to port 87 of sandbox .* broke: ECONNRESET$/,
	};
	await assert.rejects(read(stream), broken);
	await assert.rejects(stream.write(Buffer.from('y')), broken);
	await assert.rejects(stream.end(), broken);
});

test('a client that leaves in the middle resets the port, and one that has ended does not', async () => {
	const left = await pod.shim.forward(88);
	await left.write(Buffer.from('the first part'));
	await left[Symbol.asyncDispose]();
	await pod.hears({ event: 'error', port: 88, code: 'ECONNRESET' });

	const gone = new AbortController();
	const aborted = await pod.shim.forward(81, { signal: gone.signal });
	gone.abort();
	await assert.rejects(read(aborted), { condition: 'CANCELLED' });
	await pod.hears({ event: 'error', port: 81, code: 'ECONNRESET' });
});

test('a sandbox that ends: its connections break, and say why', async () => {
	const ending = await Pod.start();
	await using stream = await ending.shim.forward(88);
	await ending.stop();
	await assert.rejects(read(stream), {
		condition: 'FAILED_PRECONDITION',
		message: `The connection to port 88 of sandbox ${ending.shim.sandboxId} ended with it`,
	});
	await assert.rejects(ending.shim.forward(88), { condition: 'NOT_FOUND' });
});

test('the network of the host', async () => {
	const shim = await machine.shim();
	const box = await machine.idle(shim, { linux: { namespaces: BOX } }, { id: shim.sandboxId });
	const server = createServer((socket) => socket.end('from the host'));
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	assert.ok(address !== null && typeof address === 'object');
	await using stream = await shim.forward(address.port);
	assert.equal(await say(stream, ''), 'from the host');
	await new Promise((resolve) => server.close(resolve));
	await shim.delete(box.id);
});
