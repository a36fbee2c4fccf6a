/** For each operation of FAULT_POINTS: what is there before, the call, and what must be so after its retry. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { StatusError } from '#base/errors.ts';
import type { FAULT_POINTS } from '#base/fault-points.ts';
import { until } from '../support/until.ts';
import type { Stage } from './stage.ts';

interface Operation {
	/** Answers the id of what it makes, or nothing. Is called again after the restart if it was interrupted. */
	readonly call: () => Promise<string | undefined>;
	/** Fails unless the operation has had its effect; then removes what is left. */
	readonly confirm: (answer: string | undefined) => Promise<void>;
}

export interface Scenario {
	readonly network: 'builtin' | 'cni';
	/** Runs only where a CRIU works. */
	readonly needsCriu?: boolean;
	readonly prepare: (stage: Stage) => Promise<Operation>;
}

const IGNORES_SIGTERM = ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'];

async function runPod(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const config = stage.podConfig();
	return {
		call: async () => (await cri.RunPodSandbox({ config })).pod_sandbox_id,
		confirm: async (id = '') => {
			const { status } = await cri.PodSandboxStatus({ pod_sandbox_id: id });
			assert.equal(status?.state, 'SANDBOX_READY');
			assert.notEqual(status?.network?.ip, '');
			await stage.start(id);
			await cri.RemovePodSandbox({ pod_sandbox_id: id });
		},
	};
}

async function createContainer(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod = await stage.runPod();
	const request = stage.containerRequest(pod);
	return {
		call: async () => (await cri.CreateContainer(request)).container_id,
		confirm: async (container_id = '') => {
			await cri.StartContainer({ container_id });
			await assertRuns(stage, container_id);
			await cri.RemovePodSandbox({ pod_sandbox_id: pod });
		},
	};
}

async function startContainer(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod = await stage.runPod();
	const container_id = await stage.create(pod);
	return {
		call: async () => void (await cri.StartContainer({ container_id })),
		confirm: async () => {
			await assertRuns(stage, container_id);
			await cri.RemovePodSandbox({ pod_sandbox_id: pod });
		},
	};
}

async function stopContainer(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod = await stage.runPod();
	const container_id = await stage.create(pod, IGNORES_SIGTERM);
	await cri.StartContainer({ container_id });
	return {
		call: async () => void (await cri.StopContainer({ container_id, timeout: 1 })),
		confirm: async () => {
			const { status } = await cri.ContainerStatus({ container_id });
			assert.deepEqual(
				[status?.state, status?.exit_code, status?.reason],
				['CONTAINER_EXITED', 137, 'Error'],
			);
			assert.ok(BigInt(status?.finished_at ?? 0) >= BigInt(status?.started_at ?? 0));
			await cri.RemovePodSandbox({ pod_sandbox_id: pod });
		},
	};
}

async function removeContainer(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod = await stage.runPod();
	const container_id = await stage.start(pod);
	return {
		call: async () => void (await cri.RemoveContainer({ container_id })),
		confirm: async () => {
			// Its name is free again.
			await stage.start(pod);
			await cri.RemovePodSandbox({ pod_sandbox_id: pod });
		},
	};
}

async function stopPod(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod = await stage.runPod();
	const container_id = await stage.start(pod);
	return {
		call: async () => void (await cri.StopPodSandbox({ pod_sandbox_id: pod })),
		confirm: async () => {
			const { status } = await cri.PodSandboxStatus({ pod_sandbox_id: pod });
			assert.equal(status?.state, 'SANDBOX_NOTREADY');
			const container = await cri.ContainerStatus({ container_id });
			assert.equal(container.status?.state, 'CONTAINER_EXITED');
			await cri.RemovePodSandbox({ pod_sandbox_id: pod });
		},
	};
}

async function removePod(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod = await stage.runPod();
	await stage.start(pod);
	return {
		call: async () => void (await cri.RemovePodSandbox({ pod_sandbox_id: pod })),
		confirm: async () => {},
	};
}

async function pullImage(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const image = { image: stage.otherImage };
	return {
		call: async () => void (await cri.PullImage({ image })),
		confirm: async () => {
			assert.notEqual((await cri.ImageStatus({ image })).image, null);
			await cri.RemoveImage({ image });
		},
	};
}

async function removeImage(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const image = { image: stage.otherImage };
	await cri.PullImage({ image });
	return {
		call: async () => void (await cri.RemoveImage({ image })),
		confirm: async () => assert.equal((await cri.ImageStatus({ image })).image, null),
	};
}

async function checkpointContainer(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod = await stage.runPod();
	const container_id = await stage.start(pod);
	const pid = await stage.pidOf(container_id);
	const place = placeFor(stage);
	const location = join(place.folder, 'saved');
	return {
		call: () =>
			onceItGoesOn(async () => void (await cri.CheckpointContainer({ container_id, location, timeout: 60 }))),
		confirm: async () => {
			assert.equal(await stage.pidOf(container_id), pid);
			await assertRuns(stage, container_id);
			assert.deepEqual(readdirSync(place.folder), ['saved']);
			await cri.RemovePodSandbox({ pod_sandbox_id: pod });
			place.remove();
		},
	};
}

async function checkpointPod(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod_sandbox_id = await stage.runPod();
	const container_id = await stage.start(pod_sandbox_id);
	const pid = await stage.pidOf(container_id);
	const place = placeFor(stage);
	const output_path = join(place.folder, 'saved');
	const call = async () => void (await cri.CheckpointPod({ pod_sandbox_id, output_path }));
	await call();
	return {
		call: () => onceItGoesOn(call),
		confirm: async () => {
			assert.equal(await stage.pidOf(container_id), pid);
			await assertRuns(stage, container_id);
			assert.deepEqual(readdirSync(place.folder), ['saved']);
			assert.ok(existsSync(join(output_path, 'pod.dump')));
			await cri.RemovePodSandbox({ pod_sandbox_id });
			place.remove();
		},
	};
}

async function restorePod(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod_sandbox_id = await stage.runPod();
	await stage.start(pod_sandbox_id);
	const place = placeFor(stage);
	const checkpoint_path = join(place.folder, 'saved');
	await cri.CheckpointPod({ pod_sandbox_id, output_path: checkpoint_path });
	await cri.RemovePodSandbox({ pod_sandbox_id });
	const config = stage.podConfig();
	return {
		call: async () => (await cri.RestorePod({ checkpoint_path, config })).pod_sandbox_id,
		confirm: async (id = '') => {
			const { containers } = await cri.ListContainers({ filter: { pod_sandbox_id: id } });
			assert.deepEqual(
				containers.map(({ state }) => state),
				['CONTAINER_CREATED'],
			);
			const container_id = containers[0]?.id ?? '';
			await cri.StartContainer({ container_id });
			await assertRuns(stage, container_id);
			await cri.RemovePodSandbox({ pod_sandbox_id: id });
			place.remove();
		},
	};
}

async function restoreContainer(stage: Stage): Promise<Operation> {
	const { cri } = stage.daemon;
	const pod = await stage.runPod();
	const container_id = await stage.start(pod);
	const place = placeFor(stage);
	const location = join(place.folder, 'saved');
	await cri.CheckpointContainer({ container_id, location });
	await cri.RemoveContainer({ container_id });
	const { config, pod_sandbox_id } = stage.containerRequest(pod);
	const request = { pod_sandbox_id, config: { ...config, image: { image: location } } };
	return {
		call: async () => (await cri.CreateContainer(request)).container_id,
		confirm: async (id = '') => {
			await cri.StartContainer({ container_id: id });
			await assertRuns(stage, id);
			await cri.RemovePodSandbox({ pod_sandbox_id: pod });
			place.remove();
		},
	};
}

/** A folder of the case's own, in which nothing half-written may be left. */
function placeFor({ daemon }: Stage) {
	const folder = join(daemon.folder, 'checkpoints');
	const remove = () => rmSync(folder, { recursive: true, force: true });
	remove();
	mkdirSync(folder);
	return { folder, remove };
}

/** ABORTED while the next daemon waits for the CRIU of the one before. */
async function onceItGoesOn(call: () => Promise<undefined>): Promise<undefined> {
	await until('no checkpoint is under way', () =>
		call().then(
			() => true,
			(error: StatusError) => {
				if (error.condition === 'ABORTED') return false;
				throw error;
			},
		),
	);
}

async function assertRuns(stage: Stage, container_id: string): Promise<void> {
	const { cri } = stage.daemon;
	const { status } = await cri.ContainerStatus({ container_id });
	assert.equal(status?.state, 'CONTAINER_RUNNING');
	assert.ok(BigInt(status?.started_at ?? 0) >= BigInt(status?.created_at ?? 0));
	const { exit_code } = await cri.ExecSync({ container_id, cmd: ['true'], timeout: 20 });
	assert.equal(exit_code, 0);
}

export const SCENARIOS: Readonly<Record<keyof typeof FAULT_POINTS, Scenario>> = {
	RunPodSandbox: { network: 'builtin', prepare: runPod },
	CreateContainer: { network: 'builtin', prepare: createContainer },
	StartContainer: { network: 'builtin', prepare: startContainer },
	StopContainer: { network: 'builtin', prepare: stopContainer },
	RemoveContainer: { network: 'builtin', prepare: removeContainer },
	StopPodSandbox: { network: 'builtin', prepare: stopPod },
	RemovePodSandbox: { network: 'builtin', prepare: removePod },
	PullImage: { network: 'builtin', prepare: pullImage },
	RemoveImage: { network: 'builtin', prepare: removeImage },
	CheckpointContainer: { network: 'builtin', needsCriu: true, prepare: checkpointContainer },
	CheckpointPod: { network: 'builtin', needsCriu: true, prepare: checkpointPod },
	RestorePod: { network: 'builtin', needsCriu: true, prepare: restorePod },
	RestoreContainer: { network: 'builtin', needsCriu: true, prepare: restoreContainer },
	CniAdd: { network: 'cni', prepare: runPod },
	CniDelete: { network: 'cni', prepare: removePod },
};
