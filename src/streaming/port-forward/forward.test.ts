/** With a connection on loopback where the shim's would be. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { failedPrecondition } from '#base/errors.ts';
import { silentLog } from '#base/log.ts';
import type { ForwardStream } from '#runtime';
import { SpdyClient } from '../../../test/support/spdy-client.ts';
import type { SpdyConnection } from '../spdy/connection.ts';
import type { Connect } from './forward.ts';
import { forwardOverSpdy } from './serve.ts';
import { ForwardSession } from './session.ts';

function streamOf(socket: Socket): ForwardStream {
	return {
		output: socket,
		write: async (data) => {
			if (!socket.write(data)) await once(socket, 'drain');
		},
		end: async () => {
			socket.end();
		},
		async [Symbol.asyncDispose]() {
			socket.destroy();
		},
	};
}

describe('port-forward over SPDY', () => {
	let echo: Server;
	let session: ForwardSession;
	let connection: SpdyConnection;
	let client: SpdyClient;
	let ended: Promise<string>;
	before(async () => {
		// Port 1 resets, all others echo; 2 says something first and ends at once.
		echo = createServer({ allowHalfOpen: true }, (socket) => {
			socket.once('data', (first: Buffer) => {
				const port = first[0];
				if (port === 1) socket.resetAndDestroy();
				else if (port === 2) socket.end('bye');
				else socket.pipe(socket).write(first.subarray(1));
			});
		}).listen(0, '127.0.0.1');
		await once(echo, 'listening');
		const { port: echoPort } = echo.address() as { port: number };
		const toEcho: Connect = async (port) => {
			if (port === 9) throw failedPrecondition('Nobody listens on port 9 of sandbox x');
			const socket = connect({ port: echoPort, host: '127.0.0.1', allowHalfOpen: true });
			await once(socket, 'connect');
			socket.write(Buffer.of(port));
			return streamOf(socket);
		};
		session = new ForwardSession(toEcho, silentLog);
		const listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
		await once(listener, 'listening');
		client = new SpdyClient(connect(listener.address() as { port: number }));
		const [socket] = (await once(listener, 'connection')) as [Socket];
		listener.close();
		connection = forwardOverSpdy(socket, 'portforward.k8s.io', session);
		ended = session.ended(connection);
	});
	after(() => echo.close());

	let count = 0;
	async function pair(port: number | string) {
		count += 1;
		const headers = { port: String(port), requestid: String(count) };
		const error = await client.open({ streamtype: 'error', ...headers });
		error.end();
		return { error, data: await client.open({ streamtype: 'data', ...headers }) };
	}

	it('carries many connections at once, each to its own end', async () => {
		const pairs = await Promise.all(Array.from({ length: 20 }, () => pair(3)));
		pairs.forEach(({ data }, index) => {
			data.write(`hello ${index} `.repeat(5000));
			data.end();
		});
		for (const [index, { data, error }] of pairs.entries()) {
			assert.equal(await data.text(), `hello ${index} `.repeat(5000));
			assert.equal(await error.text(), '');
		}
	});

	it('passes on that the other side has ended first', async () => {
		const { data, error } = await pair(2);
		assert.equal(await data.text(), 'bye');
		data.end();
		assert.equal(await error.text(), '');
	});

	it('tells on its error stream that nobody listens, and goes on', async () => {
		const { data, error } = await pair(9);
		assert.equal(await error.text(), 'Nobody listens on port 9 of sandbox x');
		await data.ended.promise;
		const next = await pair(3);
		next.data.write('still here');
		next.data.end();
		assert.equal(await next.data.text(), 'still here');
	});

	it('resets one connection that breaks, without a word that would end all', async () => {
		const { data, error } = await pair(1);
		await data.ended.promise;
		assert.equal(await error.text(), '');
		assert.ok(client.frames.some((frame) => frame.type === 'reset' && frame.streamId === data.id));
	});

	it('takes the streams of old clients, which name no request', async () => {
		const error = await client.open({ streamtype: 'error', port: '3' });
		const data = await client.open({ streamtype: 'data', port: '3' });
		data.write('old');
		data.end();
		assert.equal(await data.text(), 'old');
		await error.text();
	});

	it('resets streams that are no pair, or name no port', async () => {
		for (const headers of [
			{ streamtype: 'data' },
			{ streamtype: 'data', port: '0' },
			{ streamtype: 'data', port: '65536' },
			{ streamtype: 'data', port: '80x' },
			{ streamtype: 'stdin', port: '80' },
			{},
		])
			await assert.rejects(client.open(headers as Record<string, string>), /reset with status 3/);
		await client.open({ streamtype: 'error', port: '80', requestid: 'x' });
		await assert.rejects(client.open({ streamtype: 'error', port: '80', requestid: 'x' }), /reset/);
		await assert.rejects(client.open({ streamtype: 'data', port: '81', requestid: 'x' }), /reset/);
	});

	it('ends what is under way when the client leaves', async () => {
		await pair(3);
		client.socket.destroy();
		assert.match(await ended, /^\d+ connections, \d failed; it closed the connection$/);
	});
});
