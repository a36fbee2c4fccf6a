import assert from 'node:assert/strict';
import { linkSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { invalidArgument, StatusError } from '#base/errors.ts';
import type { Dispatcher } from './dispatch.ts';
import { type CriClient, createCriClient } from './grpc-client.ts';
import { type GrpcServer, startGrpcServer } from './grpc-server.ts';

const conditionIs = (condition: string) => (error: unknown) =>
	error instanceof StatusError && error.condition === condition;

describe('gRPC server', () => {
	let folder = '';
	let server: GrpcServer;
	let client: CriClient;
	/** Replaced by each test. */
	let dispatcher: Dispatcher;
	const start = (path: string): Promise<GrpcServer> =>
		startGrpcServer({
			address: `unix://${path}`,
			socket: { mode: 0o640, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
			maxMessageBytes: 1024 * 1024,
			dispatcher: {
				unary: (name, request, signal) => dispatcher.unary(name, request, signal),
				stream: (name, request, signal) => dispatcher.stream(name, request, signal),
			},
		});
	const answerWith = (unary: Dispatcher['unary']): void => {
		dispatcher = { unary, stream: () => assert.fail('no stream') };
	};
	before(async () => {
		folder = mkdtempSync(join(tmpdir(), 'gantry-grpc-'));
		server = await start(join(folder, 'cri.sock'));
		client = createCriClient(`unix://${join(folder, 'cri.sock')}`);
	});
	after(async () => {
		client.close();
		await server.stop(100);
		rmSync(folder, { recursive: true });
	});

	it('answers both services, with fields that are not set as their defaults', async () => {
		answerWith(async (name, request) => {
			if (name === 'Version') return { runtime_name: 'test' };
			assert.deepEqual(request, {
				image: { image: 'a', annotations: {}, user_specified_image: '', runtime_handler: '', image_ref: '' },
				verbose: false,
			});
			return { image: { id: 'sha256:1', size: 2n ** 60n } };
		});
		assert.equal((await client.call('Version', {})).runtime_name, 'test');
		const { image } = await client.call('ImageStatus', { image: { image: 'a' } });
		assert.equal(image?.size, String(2n ** 60n));
	});

	it('sends the condition and the message of an error', async () => {
		answerWith(() => Promise.reject(invalidArgument('Cannot do it: "ä\n" is wrong \ud800')));
		await assert.rejects(client.call('Version', {}), (error) => {
			assert.ok(error instanceof StatusError);
			assert.equal(error.condition, 'INVALID_ARGUMENT');
			assert.equal(error.message, 'Cannot do it: "ä\n" is wrong \ufffd');
			return true;
		});
	});

	it('aborts the call at the deadline of the client, and says so', async () => {
		const reason = Promise.withResolvers<unknown>();
		answerWith((_name, _request, signal) => {
			signal.addEventListener('abort', () => reason.resolve(signal.reason));
			return new Promise(() => {});
		});
		await assert.rejects(client.call('Version', {}, { timeoutMs: 50 }), conditionIs('DEADLINE_EXCEEDED'));
		assert.ok(conditionIs('DEADLINE_EXCEEDED')(await reason.promise));
	});

	it('aborts the call when the client goes away', async () => {
		const reason = Promise.withResolvers<unknown>();
		const cancel = new AbortController();
		answerWith((_name, _request, signal) => {
			signal.addEventListener('abort', () => reason.resolve(signal.reason));
			cancel.abort();
			return new Promise(() => {});
		});
		await assert.rejects(client.call('Version', {}, { signal: cancel.signal }), conditionIs('CANCELLED'));
		assert.ok(conditionIs('CANCELLED')(await reason.promise));
	});

	it('refuses a message beyond the limit', async () => {
		answerWith(async () => ({}));
		const huge = client.call('ImageStatus', { image: { image: 'x'.repeat(2 * 1024 * 1024) } });
		await assert.rejects(huge, conditionIs('RESOURCE_EXHAUSTED'));
	});

	it('streams in order, and with back-pressure: it does not read ahead of a slow client', async () => {
		let produced = 0;
		dispatcher = {
			unary: () => assert.fail('no call'),
			async *stream() {
				for (let number = 0; number < 2000; number++) {
					produced += 1;
					yield { container_id: `${number} ${'x'.repeat(10_000)}` };
				}
			},
		};
		let received = 0;
		for await (const event of client.stream('GetContainerEvents', {})) {
			assert.ok(event.container_id.startsWith(`${received} `));
			received += 1;
			if (received === 1) await new Promise((resolve) => setTimeout(resolve, 50));
			if (received === 1) assert.ok(produced < 2000, `${produced} messages were made while nobody read`);
		}
		assert.equal(received, 2000);
	});

	it('ends a stream with the error that its handler throws', async () => {
		dispatcher = {
			unary: () => assert.fail('no call'),
			async *stream() {
				yield { container_id: 'one' };
				throw invalidArgument('no more');
			},
		};
		const seen: string[] = [];
		const reading = (async () => {
			for await (const event of client.stream('GetContainerEvents', {})) seen.push(event.container_id);
		})();
		await assert.rejects(reading, conditionIs('INVALID_ARGUMENT'));
		assert.deepEqual(seen, ['one']);
	});

	it('goes on when a client leaves in the middle of a list', async () => {
		const left = Promise.withResolvers<void>();
		dispatcher = {
			unary: async () => ({}),
			async *stream() {
				try {
					for (;;) yield { images: [{ id: 'x'.repeat(100_000) }] };
				} finally {
					left.resolve();
				}
			},
		};
		const cancel = new AbortController();
		for await (const { images } of client.stream('StreamImages', {}, { signal: cancel.signal })) {
			assert.equal(images.length, 1);
			cancel.abort();
		}
		await left.promise;
		await client.call('Version', {});
	});

	it('sets the mode of the socket', () =>
		assert.equal(statSync(join(folder, 'cri.sock')).mode & 0o777, 0o640));

	it('refuses a socket on which a server answers, and leaves that server alone', async () => {
		await assert.rejects(start(join(folder, 'cri.sock')), /another server answers there/);
		answerWith(async () => ({ runtime_name: 'still here' }));
		assert.equal((await client.call('Version', {})).runtime_name, 'still here');
	});

	it('replaces the socket file that a dead server left', async () => {
		const path = join(folder, 'stale.sock');
		await leaveStaleSocket(path);
		const second = await start(path);
		answerWith(async () => ({ runtime_name: 'second' }));
		using other = createCriClient(`unix://${path}`);
		assert.equal((await other.call('Version', {})).runtime_name, 'second');
		await second.stop(100);
		assert.throws(() => statSync(path), /ENOENT/);
	});

	it('refuses a path where another kind of file is, and keeps the file', async () => {
		const path = join(folder, 'file');
		writeFileSync(path, 'precious');
		await assert.rejects(start(path), /it is a file of another kind/);
		assert.equal(statSync(path).size, 8);
	});

	it('stops streams at once and cuts calls off after the grace time', async () => {
		const path = join(folder, 'stop.sock');
		const second = await start(path);
		const begun = Promise.withResolvers<void>();
		dispatcher = {
			unary: () => {
				begun.resolve();
				return new Promise(() => {});
			},
			async *stream(_name, _request, signal) {
				yield { container_id: 'one' };
				await new Promise((resolve) => signal.addEventListener('abort', resolve));
			},
		};
		using other = createCriClient(`unix://${path}`);
		const hanging = other.call('Version', {});
		const events: string[] = [];
		const streaming = (async () => {
			for await (const event of other.stream('GetContainerEvents', {})) {
				events.push(event.container_id);
				await begun.promise;
				void second.stop(20);
			}
		})();
		await Promise.all([assert.rejects(hanging), streaming]);
		assert.deepEqual(events, ['one']);
	});

	it('stops with a list that is not whole: its reader is told', async () => {
		const path = join(folder, 'part.sock');
		const second = await start(path);
		dispatcher = {
			unary: () => assert.fail('no call'),
			async *stream(_name, _request, signal) {
				yield { images: [{ id: 'one' }] };
				await new Promise((resolve) => signal.addEventListener('abort', resolve));
			},
		};
		using other = createCriClient(`unix://${path}`);
		const ids: string[] = [];
		const reading = (async () => {
			for await (const { images } of other.stream('StreamImages', {})) {
				ids.push(...images.map(({ id }) => id));
				void second.stop(1000);
			}
		})();
		await assert.rejects(reading, /The daemon stops/);
		assert.deepEqual(ids, ['one']);
	});
});

/** A socket file to which nobody listens, as a killed daemon leaves it. */
async function leaveStaleSocket(path: string): Promise<void> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(`${path}.bound`, resolve));
	// Node unlinks the path it bound: a second name stays.
	linkSync(`${path}.bound`, path);
	await new Promise((resolve) => server.close(resolve));
}
