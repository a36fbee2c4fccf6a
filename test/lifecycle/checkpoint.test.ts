/** Checkpoints with a real CRIU, where there is one that works with this kernel. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ContainerConfigInit } from '#cri-api';
import { until } from '../support/until.ts';
import { TestBed } from './harness.ts';

/** Counts in memory, to its log and to a file: what goes on, goes on from where it was. */
const COUNTER = 'i=0; while :; do i=$((i+1)); echo $i; echo $i > /data/count; sleep 0.05; done';
const counter = (name: string, config: ContainerConfigInit = {}): ContainerConfigInit => ({
	metadata: { name, attempt: 0 },
	command: ['sh', '-c', COUNTER],
	log_path: `${name}.log`,
	...config,
});

let bed: TestBed;
before(async () => {
	const path = process.env.GANTRY_TEST_CRIU;
	bed = await TestBed.start(path === undefined ? [] : [`runtime.criu_path=${path}`]);
});
after(() => bed[Symbol.asyncDispose]());

const countOf = async (id: string): Promise<number> => Number(await bed.sh(id, 'cat /data/count'));

async function countsOn(id: string): Promise<void> {
	const now = await countOf(id);
	await until('it counts on', async () => (await countOf(id)) > now + 2);
}

test('a container goes on counting after its checkpoint', async () => {
	const pod = await bed.runPod();
	const id = await bed.run(pod, counter('a'));
	await until('it counts', async () => (await countOf(id)) > 3);
	const location = join(bed.folder, 'a.tar');
	await bed.cri.CheckpointContainer({ container_id: id, location, timeout: 60n });
	await countsOn(id);
	assert.equal(statSync(location).mode & 0o777, 0o600);
	assert.deepEqual(
		readdirSync(bed.folder).filter((name) => name.endsWith('.tmp')),
		[],
	);
});

test('a pod is restored: CREATED first, then it counts on from where it was', async () => {
	const pod = await bed.runPod();
	const id = await bed.run(pod, counter('a'));
	await until('it counts', async () => (await countOf(id)) > 20);
	const output_path = join(bed.folder, 'pod');
	await bed.cri.CheckpointPod({ pod_sandbox_id: pod, output_path });
	await countsOn(id);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	const restored = await bed.cri.RestorePod({ checkpoint_path: output_path, config: bed.podConfig() });
	const again = restored.restored_containers[0]?.container_id ?? '';
	const { status } = await bed.cri.ContainerStatus({ container_id: again });
	assert.equal(status?.state, 'CONTAINER_CREATED');
	await bed.cri.StartContainer({ container_id: again });
	await countsOn(again);
	console.log(
		readFileSync(
			(await bed.cri.ContainerStatus({ container_id: again })).status?.log_path ?? '',
			'utf8',
		).slice(0, 200),
	);
});
