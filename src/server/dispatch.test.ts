import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failedPrecondition, notFound, StatusError } from '#base/errors.ts';
import { createLog } from '#base/log.ts';
import { createDispatcher } from './dispatch.ts';
import { Gate } from './gate.ts';
import { RecentErrors } from './recent-errors.ts';
import type { Call, Daemon, Handlers } from './types.ts';

interface Line {
	readonly level: string;
	readonly msg: string;
	readonly [field: string]: unknown;
}

function setUp(
	handlers: Record<string, (daemon: Daemon, request: object, call: Call) => unknown>,
	changes?: Gate,
) {
	const lines: Line[] = [];
	const operations: string[] = [];
	const underWay = new Set<string>();
	const stages: string[] = [];
	const recentErrors = new RecentErrors();
	const daemon = {
		log: createLog('trace', (line) => lines.push(JSON.parse(line))),
		metrics: {
			operationBegan: ({ name }: { name: string }) => underWay.add(name),
			operationEnded: ({ name }: { name: string }, code: string) => {
				underWay.delete(name);
				operations.push(`${name} ${code}`);
			},
			stage: (name: string, stage: string) => stages.push(`${name} ${stage}`),
		},
		recentErrors,
	} as unknown as Daemon;
	const dispatcher = createDispatcher(daemon, handlers as unknown as Handlers, changes);
	return { dispatcher, lines, operations, underWay, stages, recentErrors };
}

const signal = new AbortController().signal;

async function failureOf(work: Promise<unknown>): Promise<StatusError> {
	try {
		await work;
	} catch (error) {
		assert.ok(error instanceof StatusError);
		return error;
	}
	return assert.fail('it did not fail');
}

describe('dispatch of one answer', () => {
	it('gives the answer, logs a change at info with what it is about, and counts it', async () => {
		const { dispatcher, lines, operations } = setUp({ StopContainer: () => ({ done: true }) });
		assert.deepEqual(await dispatcher.unary('StopContainer', { container_id: 'c1' }, signal), { done: true });
		assert.equal(lines[0]?.level, 'info');
		assert.equal(lines[0]?.container, 'c1');
		assert.equal(lines[0]?.code, 'OK');
		assert.equal(lines[0]?.request, 1);
		assert.equal(typeof lines[0]?.durationMs, 'number');
		assert.deepEqual(operations, ['StopContainer OK']);
	});

	it('logs reads at debug', async () => {
		const { dispatcher, lines } = setUp({
			ListContainers: () => ({}),
			ContainerStatus: () => ({}),
			Version: () => ({}),
		});
		for (const name of ['ListContainers', 'ContainerStatus', 'Version'] as const)
			await dispatcher.unary(name, {}, signal);
		assert.deepEqual(
			lines.map(({ level }) => level),
			['debug', 'debug', 'debug'],
		);
	});

	it('lets a StatusError through as it is', async () => {
		const thrown = failedPrecondition('Cannot start container c1: it runs');
		const { dispatcher, operations, lines, recentErrors } = setUp({
			StartContainer: () => Promise.reject(thrown),
		});
		assert.equal(await failureOf(dispatcher.unary('StartContainer', {}, signal)), thrown);
		assert.deepEqual(operations, ['StartContainer FAILED_PRECONDITION']);
		assert.equal(lines[0]?.level, 'warn');
		assert.equal(lines[0]?.stack, undefined);
		assert.equal(recentErrors.list()[0]?.message, thrown.message);
	});

	it('makes anything else INTERNAL and logs its stack', async () => {
		const { dispatcher, lines } = setUp({
			RunPodSandbox: () => {
				throw new TypeError('x is undefined');
			},
		});
		const failure = await failureOf(dispatcher.unary('RunPodSandbox', {}, signal));
		assert.equal(failure.condition, 'INTERNAL');
		assert.equal(failure.message, 'RunPodSandbox failed: x is undefined');
		assert.equal(lines[0]?.level, 'error');
		assert.match(String(lines[0]?.stack), /caused by: TypeError: x is undefined\n\s+at .*dispatch\.test\.ts/);
	});

	it('does not count what is part of normal life among the recent errors', async () => {
		const { dispatcher, recentErrors, lines } = setUp({
			ContainerStatus: () => Promise.reject(notFound('gone')),
		});
		await failureOf(dispatcher.unary('ContainerStatus', {}, signal));
		assert.deepEqual(recentErrors.list(), []);
		assert.equal(lines[0]?.level, 'info');
	});

	it('measures stages, also the one that fails', async () => {
		const { dispatcher, stages, lines } = setUp({
			PullImage: async (_daemon, _request, call) => {
				await call.stage('resolve', async () => {});
				await call.stage('layers', () => Promise.reject(notFound('no such layer')));
			},
		});
		await failureOf(dispatcher.unary('PullImage', { image: { image: 'busybox' } }, signal));
		assert.deepEqual(stages, ['PullImage resolve', 'PullImage layers']);
		assert.deepEqual(Object.keys(lines[0]?.stagesMs as object), ['resolve', 'layers']);
		assert.equal(lines[0]?.image, 'busybox');
	});
});

describe('dispatch of a stream', () => {
	it('passes the messages on and ends with its log line', async () => {
		const { dispatcher, operations } = setUp({
			GetContainerEvents: async function* () {
				yield { number: 1 };
				yield { number: 2 };
			},
		});
		const messages = [];
		for await (const message of dispatcher.stream('GetContainerEvents', {}, signal)) messages.push(message);
		assert.deepEqual(messages, [{ number: 1 }, { number: 2 }]);
		assert.deepEqual(operations, ['GetContainerEvents OK']);
	});

	it('ends when its reader stops in the middle', async () => {
		const { dispatcher, operations, underWay } = setUp({
			StreamContainers: async function* () {
				yield* [{}, {}];
			},
		});
		for await (const _message of dispatcher.stream('StreamContainers', {}, signal)) {
			assert.deepEqual([...underWay], ['StreamContainers']);
			break;
		}
		assert.deepEqual([...underWay], []);
		assert.deepEqual(operations, ['StreamContainers CANCELLED']);
	});

	it('fails with a StatusError in the middle', async () => {
		const { dispatcher } = setUp({
			StreamContainers: async function* () {
				yield {};
				throw new Error('broken');
			},
		});
		const reading = (async () => {
			for await (const _message of dispatcher.stream('StreamContainers', {}, signal));
		})();
		assert.equal((await failureOf(reading)).condition, 'INTERNAL');
	});
});

describe('dispatch while the daemon takes over what ran', () => {
	const handlers = { ListContainers: () => ({}), StopContainer: () => ({ done: true }) };

	it('answers reads at once; changes wait', async () => {
		const gate = new Gate();
		const { dispatcher, stages } = setUp(handlers, gate);
		const stop = dispatcher.unary('StopContainer', {}, signal);
		assert.deepEqual(await dispatcher.unary('ListContainers', {}, signal), {});
		gate.open();
		assert.deepEqual(await stop, { done: true });
		await dispatcher.unary('StopContainer', {}, signal);
		assert.deepEqual(stages, ['StopContainer recovery']);
	});

	it('ends a wait when the caller goes, and when the daemon ends', async () => {
		const gate = new Gate();
		const { dispatcher } = setUp(handlers, gate);
		const late = await failureOf(dispatcher.unary('StopContainer', {}, AbortSignal.abort()));
		assert.equal(late.condition, 'DEADLINE_EXCEEDED');
		const cut = failureOf(dispatcher.unary('StopContainer', {}, signal));
		gate.refuse();
		assert.equal((await cut).condition, 'UNAVAILABLE');
	});
});
