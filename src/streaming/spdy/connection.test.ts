import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { SpdyClient } from '../../../test/support/spdy-client.ts';
import { until } from '../../../test/support/until.ts';
import { SpdyConnection, type SpdyStream } from './connection.ts';
import { dataHead, ping, RESET, rstStream, synStream } from './frames.ts';

/** A session over a socket: what the server sees, and a client. */
async function session(accept: (stream: SpdyStream) => boolean = () => true) {
	const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
	await once(server, 'listening');
	const socket = connect(server.address() as { port: number });
	const [theirs] = (await once(server, 'connection')) as [Socket];
	server.close();
	const streams: SpdyStream[] = [];
	const connection = new SpdyConnection(theirs, 'test', (stream) => {
		streams.push(stream);
		return accept(stream);
	});
	return {
		client: new SpdyClient(socket),
		connection,
		stream: (index = 0) => streams[index] ?? assert.fail(`no stream ${index}`),
		async [Symbol.asyncDispose]() {
			socket.destroy();
			await connection.closed;
		},
	};
}
async function textOf(input: AsyncIterable<Buffer>): Promise<string> {
	let text = '';
	for await (const chunk of input) text += chunk;
	return text;
}
const isReset =
	(id: number, status: number) => (frame: { type: string; streamId?: number; status?: number }) =>
		frame.type === 'reset' && frame.streamId === id && frame.status === status;

describe('SpdyConnection', () => {
	it('opens streams, moves data both ways, and half-closes each way', async () => {
		await using at = await session();
		const stream = await at.client.open({ streamtype: 'data', port: '80' });
		assert.equal(at.stream().headers.get('port'), '80');
		stream.write('to the server');
		stream.end();
		assert.equal(await textOf(at.stream().input), 'to the server');
		await at.stream().write(Buffer.from('to the client'));
		await at.stream().end();
		assert.equal(await stream.text(), 'to the client');
		assert.equal(at.connection.movedBytes, 26);
	});

	it('answers pings of the client', async () => {
		await using at = await session();
		at.client.socket.write(Buffer.concat([ping(2), ping(41)]));
		await at.client.frame((frame) => frame.type === 'ping' && frame.id === 41);
		assert.ok(!at.client.frames.some((frame) => frame.type === 'ping' && frame.id === 2));
	});

	it('resets a stream that nobody wants, and goes on', async () => {
		await using at = await session(({ headers }) => headers.get('streamtype') !== 'no');
		await assert.rejects(at.client.open({ streamtype: 'no' }), /status 3/);
		await at.client.open({ streamtype: 'yes' });
	});

	it('resets streams with an even id, one that is used, or one that is below another', async () => {
		await using at = await session();
		await at.client.open({}, 5);
		for (const id of [8, 5, 3]) {
			await at.client.synStream(id, {});
			await at.client.frame(isReset(id, RESET.PROTOCOL_ERROR));
		}
		await at.client.open({}, 9);
	});

	it('resets data for a stream that never was, and drops it for one that has ended', async () => {
		await using at = await session();
		const stream = await at.client.open({});
		at.stream().reset();
		await at.client.frame(isReset(1, RESET.CANCEL));
		stream.write('too late');
		at.client.socket.write(Buffer.concat([dataHead(99, 3), Buffer.from('abc'), rstStream(77, 1)]));
		await at.client.frame(isReset(99, RESET.INVALID_STREAM));
		assert.ok(!at.client.frames.some(isReset(1, RESET.INVALID_STREAM)));
		await at.client.open({});
	});

	it('has no more than so many streams at once', async () => {
		await using at = await session();
		for (let id = 1; id < 2 * 2048; id += 2) await at.client.synStream(id, {});
		await assert.rejects(at.client.open({}, 2 * 2048 + 1), /status 3/);
	});

	it('ends a connection on which comes what is no SPDY, and tells why', async () => {
		for (const [bytes, reason] of [
			[Buffer.from('8002000100000000', 'hex'), /SPDY version 2/],
			[Buffer.from('80030001000100ff', 'hex'), /65791 bytes/],
			[synStream(1, Buffer.from('no zlib')), /header block/],
		] as const) {
			await using at = await session();
			at.client.socket.write(bytes);
			assert.match(await at.connection.closed, reason);
			await at.client.closed;
		}
	});

	it('does not read on while a stream is full, and still finds out that the client is gone', async () => {
		await using at = await session();
		const stream = await at.client.open({});
		for (let count = 0; count < 200; count++) stream.write(Buffer.alloc(100_000));
		const reader = at.stream().input[Symbol.asyncIterator]();
		await reader.next();
		assert.ok(at.connection.movedBytes < 1_000_000, `${at.connection.movedBytes} bytes are taken`);
		assert.ok(at.client.socket.writableLength > 10_000_000);
		at.client.socket.destroy();
		await at.connection.closed;
		await assert.rejects(async () => {
			while (!(await reader.next()).done);
		}, /client has left/);
	});

	it('does not read on while its streams keep too much together', async () => {
		await using at = await session();
		const streams = [];
		for (let count = 0; count < 100; count++) streams.push(await at.client.open({}));
		for (const stream of streams) stream.write(Buffer.alloc(200_000));
		await until('it is full', () => at.connection.movedBytes > 3_000_000);
		for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
		assert.ok(at.connection.movedBytes < 6_000_000, `${at.connection.movedBytes} bytes are taken`);
	});

	it('makes a writer wait for a client that does not read', async () => {
		await using at = await session();
		const stream = await at.client.open({});
		at.client.socket.pause();
		let written = 0;
		const writing = (async () => {
			for (; written < 400; written++) await at.stream().write(Buffer.alloc(100_000));
			await at.stream().end();
		})();
		for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
		assert.ok(written < 400, 'it waits');
		at.client.socket.resume();
		await writing;
		await stream.ended.promise;
		assert.equal(stream.receivedBytes, 40_000_000);
	});

	it('delivers everything before it closes', async () => {
		await using at = await session();
		const stream = await at.client.open({});
		for (let count = 0; count < 20; count++) {
			stream.write(Buffer.alloc(10_000));
			await at.stream().write(Buffer.alloc(100_000));
		}
		await at.stream().end();
		at.connection.close();
		await stream.ended.promise;
		assert.equal(stream.receivedBytes, 2_000_000);
		await at.client.frame((frame) => frame.type === 'goAway');
	});
});
