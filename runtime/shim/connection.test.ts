import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { encodeFrame, type Frame, FrameDecoder } from './codec.ts';
import { openConnection } from './connection.ts';
import { explain, ProtocolError } from './errors.ts';
import { CONSTANTS, OPS } from './schema.ts';
import { ShimStream } from './stream.ts';

let folder: string;
let server: Server;
let handle: (frame: Frame, socket: Socket) => void;

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), 'gantry-connection-'));
	server = createServer((socket) => {
		const decoder = new FrameDecoder();
		socket.on('error', () => {});
		socket.on('data', (chunk: Buffer) => {
			for (const frame of decoder.push(chunk)) {
				if (frame.type !== 'HELLO') handle(frame, socket);
				else
					socket.write(
						encodeFrame('WELCOME', frame.requestId, { version: 1, pid: 7, start_time: 8n, sandbox_id: 's' }),
					);
			}
		});
	});
	await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
});
afterEach(async () => {
	server.close();
	await rm(folder, { recursive: true });
});

const open = async () => (await openConnection(join(folder, 's'), 'The shim')).connection;
const noStep = { step: CONSTANTS.NO_STEP, op: 0 };

test('replies find their requests, whatever their order', async () => {
	const waiting: Frame[] = [];
	handle = (frame, socket) => {
		waiting.push(frame);
		if (waiting.length < 2) return;
		for (const { requestId, body } of waiting.toReversed()) {
			socket.write(
				encodeFrame('USAGE', requestId, {
					bytes: BigInt((body as { path: string }).path.length),
					inodes: 0n,
				}),
			);
		}
	};
	const connection = await open();
	const [one, two] = await Promise.all([
		connection.request('TREE_USAGE', { path: '1' }, 'USAGE'),
		connection.request('TREE_USAGE', { path: '22' }, 'USAGE'),
	]);
	assert.deepEqual([one.bytes, two.bytes], [1n, 2n]);
	connection.close();
});

test('an error names the step and its number', async () => {
	handle = (frame, socket) =>
		socket.write(encodeFrame('ERROR', frame.requestId, { errno: 1, step: 1, op: 34, detail: '' }));
	const connection = await open();
	const error = await connection
		.request('TREE_REMOVE', { path: '/x' }, 'OK')
		.catch((thrown: unknown) => thrown);
	assert.ok(error instanceof ProtocolError);
	const mount = {
		op: 'mount_fs',
		fstype: 'proc',
		source: 'proc',
		target: '/proc',
		flags: 0n,
		data: '',
		propagation: 0n,
	} as const;
	assert.equal(
		(explain('create container c', error, [{ op: 'no_new_privileges' }, mount]) as Error).message,
		'Cannot create container c: cannot mount proc at /proc: EPERM (step 2 of 2)',
	);
	connection.close();
});

test('no room becomes RESOURCE_EXHAUSTED, and a detail is told', async () => {
	const error = new ProtocolError({ errno: 28, ...noStep, detail: 'cannot write /x' });
	assert.deepEqual(
		[
			(explain('do it', error) as Error).message,
			(explain('do it', error) as { condition: string }).condition,
		],
		['Cannot do it: cannot write /x: ENOSPC', 'RESOURCE_EXHAUSTED'],
	);
});

test('what a hook says about a lack of room is a lack of room', () => {
	const op = OPS.hooks.code;
	const conditionOf = (detail: string) =>
		(explain('do it', new ProtocolError({ errno: 125, step: 0, op, detail })) as { condition: string })
			.condition;
	assert.equal(
		conditionOf('the hook ended: Cannot write /x: ENOSPC: no space left on device'),
		'RESOURCE_EXHAUSTED',
	);
	assert.equal(conditionOf('the hook ended: EXTERNAL ERROR'), 'UNAVAILABLE');
});

test('a lost connection rejects what waits, and what comes after', async () => {
	handle = (_frame, socket) => void socket.destroy();
	const connection = await open();
	await assert.rejects(connection.request('LIST', {}, 'LISTED'), {
		condition: 'UNAVAILABLE',
		message: /The shim does not answer/,
	});
	await assert.rejects(connection.request('LIST', {}, 'LISTED'), { condition: 'UNAVAILABLE' });
});

test('nobody listens', async () => {
	await assert.rejects(openConnection(join(folder, 'none'), 'The shim'), {
		condition: 'UNAVAILABLE',
		message: /ENOENT/,
	});
});

test('bytes that are no frame end the connection', async () => {
	handle = (_frame, socket) => void socket.write(Buffer.alloc(64, 0xff));
	const connection = await open();
	await assert.rejects(connection.request('LIST', {}, 'LISTED'), {
		condition: 'UNAVAILABLE',
		message: /no frame of ours/,
	});
});

test('an abort rejects at once', async () => {
	handle = () => {};
	const connection = await open();
	const abort = new AbortController();
	const request = connection.request('LIST', {}, 'LISTED', abort.signal);
	abort.abort();
	await assert.rejects(request, { condition: 'CANCELLED' });
	connection.close();
});

test('a stream gives its output in order and then the exit; while nobody reads, the sender waits', async () => {
	const chunk = Buffer.alloc(64 * 1024, 'x');
	const chunks = 64;
	let sent = 0;
	handle = (frame, socket) => {
		socket.write(encodeFrame('EXEC_STARTED', frame.requestId, { pid: 9 }));
		const pump = () => {
			while (sent < chunks) {
				sent++;
				if (!socket.write(encodeFrame('OUTPUT', 0, { stream: 1 + (sent % 2), data: chunk }))) return;
			}
			const exited = { id: 'e', pid: 9, exit_code: 3, signal: 0, exited_at_ns: 5n, timed_out: 0 };
			if (sent++ === chunks) socket.write(encodeFrame('EXITED', 0, exited));
		};
		socket.on('drain', pump);
		pump();
	};
	const connection = await open();
	const stream = new ShimStream(connection, undefined);
	const request = { id: 'c', exec_id: 'e', flags: 0, timeout_ms: 0, drain_ms: 0, plan: [] };
	stream.started((await connection.request('EXEC', request, 'EXEC_STARTED')).pid);
	await new Promise((resolve) => setTimeout(resolve, 50));
	assert.ok(sent < chunks, `${sent} chunks were sent to a reader that does not read`);
	const counts = { stdout: 0, stderr: 0 };
	for await (const { stream: name, data } of stream.output) counts[name] += data.length;
	assert.deepEqual(counts, { stdout: (chunks / 2) * chunk.length, stderr: (chunks / 2) * chunk.length });
	assert.deepEqual(await stream.exit, { exitCode: 3, signal: 0, timedOut: false, exitedAtNs: 5n });
	await stream[Symbol.asyncDispose]();
});

test('a stream that breaks tells its reader', async () => {
	handle = (_frame, socket) => void socket.destroy();
	const stream = new ShimStream(await open(), undefined);
	void stream.write(Buffer.from('x'));
	await assert.rejects(
		async () => {
			for await (const _ of stream.output);
		},
		{ condition: 'UNAVAILABLE' },
	);
	await assert.rejects(stream.exit, { condition: 'UNAVAILABLE' });
});

test('a shim of an older version is spoken to; one beyond the versions spoken is refused with what to do', async () => {
	const socket = join(folder, 's');
	const { connection, welcome } = await openConnection(socket, 'The shim', { oldest: 1, newest: 3 });
	assert.equal(welcome.version, 1);
	connection.close();
	for (const versions of [
		{ oldest: 2, newest: 3 },
		{ oldest: 0, newest: 0 },
	])
		await assert.rejects(openConnection(socket, 'The shim', versions), {
			condition: 'FAILED_PRECONDITION',
			message: /The shim speaks version 1 .* this gantryd versions \d to \d: .* or remove the pod/,
		});
});
