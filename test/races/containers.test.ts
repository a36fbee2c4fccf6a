/** Two or three calls on one container. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ContainerState } from '#cri-api';
import { type Contender, type Outcome, Stage } from './stage.ts';

/** A call on a container that has ended, was never started, or is being removed. */
const TOO_LATE = ['FAILED_PRECONDITION', 'NOT_FOUND'] as const;

describe('calls on one container', () => {
	let stage: Stage;
	let pod: string;
	before(async () => {
		stage = await Stage.open();
		pod = await stage.pod();
	});
	after(() => stage[Symbol.asyncDispose]());

	const start = (container_id: string) => () => stage.cri.StartContainer({ container_id });
	const stop = (container_id: string, timeout: bigint) => () =>
		stage.cri.StopContainer({ container_id, timeout });
	const remove = (container_id: string) => () => stage.cri.RemoveContainer({ container_id });
	const exec = (container_id: string, script: string) => () =>
		stage.cri.ExecSync({ container_id, cmd: ['sh', '-c', script], timeout: 10n });
	const update = (container_id: string) => () =>
		stage.cri.UpdateContainerResources({ container_id, linux: { cpu_shares: 512n } });
	const reopen = (container_id: string) => () => stage.cri.ReopenContainerLog({ container_id });
	const stats = (container_id: string) => () => stage.cri.ContainerStats({ container_id });
	const status = (container_id: string) => () => stage.cri.ContainerStatus({ container_id, verbose: true });

	const stateOf = async (container_id: string): Promise<ContainerState | undefined> =>
		(await stage.cri.ContainerStatus({ container_id })).status?.state;
	const isIn = (id: string, state: ContainerState) => async () => assert.equal(await stateOf(id), state);
	const isGone = (id: string) => () =>
		assert.rejects(stage.cri.ContainerStatus({ container_id: id }), { condition: 'NOT_FOUND' });

	/** A race on a container that is created, or runs. */
	const race = (
		name: string,
		from: 'created' | 'running' | 'ending',
		calls: (id: string) => {
			readonly contenders: readonly Contender[];
			readonly check?: (outcomes: readonly Outcome[]) => Promise<void> | void;
		},
	): void => {
		it(name, async () => {
			await stage.rounds(async () => {
				if (from === 'created') return calls(await stage.create(pod));
				return calls(await stage.run(pod, from === 'ending' ? ['sleep', '0.01'] : undefined));
			});
			const { containers } = await stage.cri.ListContainers();
			await Promise.all(containers.map(({ id }) => remove(id)()));
		});
	};

	race('start, start: one starts it', 'created', (id) => ({
		contenders: [
			[start(id), 'FAILED_PRECONDITION'],
			[start(id), 'FAILED_PRECONDITION'],
		],
		check: async (outcomes) => {
			assert.equal(outcomes.filter((outcome) => outcome === 'OK').length, 1);
			await isIn(id, 'CONTAINER_RUNNING')();
		},
	}));
	race('start, stop: it has ended', 'created', (id) => ({
		contenders: [[start(id), 'FAILED_PRECONDITION'], [stop(id, 0n)]],
		check: isIn(id, 'CONTAINER_EXITED'),
	}));
	race('start, stop with grace: it has ended', 'created', (id) => ({
		contenders: [[start(id), 'FAILED_PRECONDITION'], [stop(id, 1n)]],
		check: isIn(id, 'CONTAINER_EXITED'),
	}));
	race('start, remove: it is gone', 'created', (id) => ({
		contenders: [[start(id), ...TOO_LATE], [remove(id)]],
		check: isGone(id),
	}));
	race('start, exec: it runs', 'created', (id) => ({
		contenders: [[start(id)], [exec(id, 'true'), 'FAILED_PRECONDITION']],
		check: isIn(id, 'CONTAINER_RUNNING'),
	}));
	race('stop, stop, stop: it has ended once', 'running', (id) => ({
		contenders: [[stop(id, 0n)], [stop(id, 5n)], [stop(id, 1n)]],
		check: isIn(id, 'CONTAINER_EXITED'),
	}));
	race('stop, remove: it is gone', 'running', (id) => ({
		contenders: [[stop(id, 5n)], [remove(id)]],
		check: isGone(id),
	}));
	race('remove, remove: it is gone', 'running', (id) => ({
		contenders: [[remove(id)], [remove(id)]],
		check: isGone(id),
	}));
	race('exec, remove: it is gone', 'running', (id) => ({
		contenders: [[exec(id, 'sleep 0.005; echo x'), ...TOO_LATE], [remove(id)]],
		check: isGone(id),
	}));
	race('exec, exec, stop: it has ended', 'running', (id) => ({
		contenders: [
			[exec(id, 'sleep 5'), 'FAILED_PRECONDITION'],
			[exec(id, 'true'), 'FAILED_PRECONDITION'],
			[stop(id, 0n)],
		],
		check: isIn(id, 'CONTAINER_EXITED'),
	}));
	race('update, remove: it is gone', 'running', (id) => ({
		contenders: [[update(id), ...TOO_LATE], [remove(id)]],
		check: isGone(id),
	}));
	race('update, update, stop: it has ended', 'running', (id) => ({
		contenders: [[update(id), 'FAILED_PRECONDITION'], [update(id), 'FAILED_PRECONDITION'], [stop(id, 0n)]],
		check: isIn(id, 'CONTAINER_EXITED'),
	}));
	race('reopen the log, stop: it has ended', 'running', (id) => ({
		contenders: [[reopen(id), 'FAILED_PRECONDITION'], [reopen(id), 'FAILED_PRECONDITION'], [stop(id, 0n)]],
		check: isIn(id, 'CONTAINER_EXITED'),
	}));
	race('reopen the log, remove: it is gone', 'running', (id) => ({
		contenders: [[reopen(id), ...TOO_LATE], [remove(id)]],
		check: isGone(id),
	}));
	race('stats, status, remove: it is gone', 'running', (id) => ({
		contenders: [[stats(id), 'NOT_FOUND'], [status(id), 'NOT_FOUND'], [remove(id)]],
		check: isGone(id),
	}));
	race('its own end, stop, exec, update: it has ended once', 'ending', (id) => ({
		contenders: [
			[stop(id, 1n)],
			[exec(id, 'true'), 'FAILED_PRECONDITION'],
			[update(id), 'FAILED_PRECONDITION'],
		],
		check: isIn(id, 'CONTAINER_EXITED'),
	}));
	race('its own end, remove, reopen the log: it is gone', 'ending', (id) => ({
		contenders: [[remove(id)], [reopen(id), ...TOO_LATE]],
		check: isGone(id),
	}));

	it('create, create with the same metadata: one container', async () => {
		await stage.rounds(async () => {
			const config = stage.containerConfig();
			const ids = new Set<string>();
			const create = async () => ids.add(await stage.create(pod, config));
			return {
				contenders: [
					[create, 'ALREADY_EXISTS'],
					[create, 'ALREADY_EXISTS'],
				],
				check: async () => {
					assert.equal(ids.size, 1);
					for (const id of ids) await remove(id)();
				},
			};
		});
	});

	it('create, remove of the one with its name: the new one is there or refused', async () => {
		await stage.rounds(async () => {
			const config = stage.containerConfig();
			const old = await stage.create(pod, config);
			let made: string | undefined;
			const create = async () => {
				made = await stage.create(pod, config);
			};
			return {
				contenders: [[create, 'ALREADY_EXISTS'], [remove(old)]],
				check: async () => {
					assert.notEqual(made, old);
					const { containers } = await stage.cri.ListContainers();
					assert.deepEqual(
						containers.map(({ id }) => id),
						made === undefined ? [] : [made],
					);
					if (made !== undefined) await remove(made)();
				},
			};
		});
	});
});
