/** Two or three calls on one pod. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { type Contender, type Outcome, Stage } from './stage.ts';

/** A call in a pod that is stopped or being removed. */
const TOO_LATE = ['FAILED_PRECONDITION', 'NOT_FOUND', 'ABORTED'] as const;

describe('calls on one pod', () => {
	let stage: Stage;
	before(async () => {
		stage = await Stage.open();
	});
	afterEach(() => stage.removePods());
	after(() => stage[Symbol.asyncDispose]());

	const stopPod = (pod_sandbox_id: string) => () => stage.cri.StopPodSandbox({ pod_sandbox_id });
	const removePod = (pod_sandbox_id: string) => () => stage.cri.RemovePodSandbox({ pod_sandbox_id });
	const create = (pod: string) => () => stage.create(pod);
	const start = (container_id: string) => () => stage.cri.StartContainer({ container_id });
	const stop = (container_id: string, timeout: bigint) => () =>
		stage.cri.StopContainer({ container_id, timeout });
	const remove = (container_id: string) => () => stage.cri.RemoveContainer({ container_id });
	const exec = (container_id: string) => () =>
		stage.cri.ExecSync({ container_id, cmd: ['sh', '-c', 'sleep 0.005'], timeout: 10n });

	const nothingRuns = (pod: string) => async () => {
		const { status } = await stage.cri.PodSandboxStatus({ pod_sandbox_id: pod });
		assert.equal(status?.state, 'SANDBOX_NOTREADY');
		const { containers } = await stage.cri.ListContainers({ filter: { pod_sandbox_id: pod } });
		assert.ok(containers.every(({ state }) => state === 'CONTAINER_EXITED'));
		await removePod(pod)();
	};
	const isGone = (pod: string) => async () => {
		const { items } = await stage.cri.ListPodSandbox();
		assert.deepEqual(
			items.filter(({ id }) => id === pod),
			[],
		);
		const { containers } = await stage.cri.ListContainers();
		assert.deepEqual(containers, []);
	};

	/** A race on a pod with a container that is created, and one that runs. */
	const race = (
		name: string,
		calls: (made: { pod: string; created: string; running: string }) => {
			readonly contenders: readonly Contender[];
			readonly check: (outcomes: readonly Outcome[]) => Promise<void> | void;
		},
	): void => {
		it(name, async () => {
			await stage.rounds(async () => {
				const pod = await stage.pod();
				const [created, running] = await Promise.all([stage.create(pod), stage.run(pod)]);
				return calls({ pod, created, running });
			});
		});
	};

	race('stop the pod, create: nothing runs', ({ pod }) => ({
		contenders: [[stopPod(pod)], [create(pod), ...TOO_LATE], [create(pod), ...TOO_LATE]],
		check: nothingRuns(pod),
	}));
	race('stop the pod, start: nothing runs', ({ pod, created }) => ({
		contenders: [[stopPod(pod)], [start(created), ...TOO_LATE]],
		check: nothingRuns(pod),
	}));
	race('stop the pod, exec: nothing runs', ({ pod, running }) => ({
		contenders: [[stopPod(pod)], [exec(running), ...TOO_LATE]],
		check: nothingRuns(pod),
	}));
	race('stop the pod, stop and remove containers: nothing runs', ({ pod, created, running }) => ({
		contenders: [[stopPod(pod)], [stop(running, 5n)], [remove(created)]],
		check: nothingRuns(pod),
	}));
	race('stop the pod twice, remove it: it is gone', ({ pod }) => ({
		contenders: [[stopPod(pod)], [stopPod(pod)], [removePod(pod)]],
		check: isGone(pod),
	}));
	race('remove the pod twice: it is gone', ({ pod }) => ({
		contenders: [[removePod(pod)], [removePod(pod)]],
		check: isGone(pod),
	}));
	race('remove the pod, create: both are gone', ({ pod }) => ({
		contenders: [[removePod(pod)], [create(pod), ...TOO_LATE], [create(pod), ...TOO_LATE]],
		check: isGone(pod),
	}));
	race('remove the pod, start, remove a container: all is gone', ({ pod, created, running }) => ({
		contenders: [[removePod(pod)], [start(created), ...TOO_LATE], [remove(running)]],
		check: isGone(pod),
	}));
	race('remove the pod, exec, update: all is gone', ({ pod, running }) => ({
		contenders: [
			[removePod(pod)],
			[exec(running), ...TOO_LATE],
			[
				() => stage.cri.UpdateContainerResources({ container_id: running, linux: { cpu_shares: 512n } }),
				...TOO_LATE,
			],
		],
		check: isGone(pod),
	}));
	race('remove the pod, statuses and stats: it is gone', ({ pod, running }) => ({
		contenders: [
			[removePod(pod)],
			[() => stage.cri.PodSandboxStatus({ pod_sandbox_id: pod, verbose: true }), 'NOT_FOUND'],
			[() => stage.cri.PodSandboxStats({ pod_sandbox_id: pod }), 'NOT_FOUND'],
			[() => stage.cri.ContainerStats({ container_id: running }), 'NOT_FOUND'],
		],
		check: isGone(pod),
	}));

	it('run, run with the same metadata: one pod', async () => {
		await stage.rounds(async () => {
			const config = stage.podConfig();
			const ids = new Set<string>();
			const run = async () => ids.add(await stage.pod(config));
			return {
				contenders: [
					[run, 'ALREADY_EXISTS'],
					[run, 'ALREADY_EXISTS'],
				],
				check: async () => {
					assert.equal(ids.size, 1);
					for (const id of ids) await removePod(id)();
				},
			};
		});
	});

	it('run, remove of the pod with its metadata: the new one is there or refused', async () => {
		await stage.rounds(async () => {
			const config = stage.podConfig();
			const old = await stage.pod(config);
			let made: string | undefined;
			const run = async () => {
				made = await stage.pod(config);
			};
			return {
				contenders: [[run, 'ALREADY_EXISTS'], [removePod(old)]],
				check: async () => {
					const { items } = await stage.cri.ListPodSandbox();
					assert.deepEqual(
						items.map(({ id }) => id),
						made === undefined ? [] : [made],
					);
					assert.notEqual(made, old);
					if (made !== undefined) await removePod(made)();
				},
			};
		});
	});

	it('a client that leaves while it runs a pod, and its retry: one pod', async () => {
		await stage.rounds(async () => {
			const config = stage.podConfig();
			const impatient = () => stage.cri.RunPodSandbox({ config }, { timeoutMs: 20 });
			const ids = new Set<string>();
			return {
				contenders: [[impatient, 'DEADLINE_EXCEEDED', 'ALREADY_EXISTS']],
				check: async () => {
					const retry = await stage.pod(config).catch(() => undefined);
					const { items } = await stage.cri.ListPodSandbox();
					for (const { id } of items) ids.add(id);
					assert.equal(ids.size, 1);
					assert.ok(retry === undefined || ids.has(retry));
					for (const id of ids) await removePod(id)();
				},
			};
		});
	});
});
