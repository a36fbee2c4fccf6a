/** What one client does to one pod in the churn: all that pods go through on a node, in an order left to chance. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../bench/endpoint.ts';
import { endPod, type LivingPod, lookInto, startPod } from '../bench/pod-life.ts';
import type { TestCri } from '../support/cri-client.ts';
import type { Random } from '../support/random.ts';

const MOST_DEEDS = 6;

/** A pod from its start to its end, with some of the deeds in between. */
export async function churnOnce(endpoint: Endpoint<TestCri>, image: string, random: Random): Promise<void> {
	const pod = await startPod(endpoint, image);
	const deeds = 1 + random.below(MOST_DEEDS);
	for (let deed = 0; deed < deeds; deed++) await random.of(DEEDS)(endpoint, pod, image, random);
	await random.of(ENDS)(endpoint, pod);
}

type Deed = (endpoint: Endpoint<TestCri>, pod: LivingPod, image: string, random: Random) => Promise<void>;

const lists: Deed = async ({ cri }) => {
	await cri.ListPodSandbox();
	await cri.ListContainers();
	await cri.ListContainerStats();
	await cri.ListPodSandboxStats();
	await cri.Status();
};

const looks: Deed = (endpoint, pod) => lookInto(endpoint, pod);

/** A container beside the first: an end of its own, by itself or by a stop, and its removal. */
const another: Deed = async ({ cri }, { pod }, image, random) => {
	const command = random.of([['true'], ['false'], ['sleep', '1000'], ['/no/such/program']]);
	const config = {
		metadata: { name: 'other', attempt: 0 },
		image: { image },
		command,
		log_path: 'other.log',
	};
	const { container_id } = await cri.CreateContainer({ pod_sandbox_id: pod, config });
	await cri.StartContainer({ container_id }).catch(expected(/No such file|ENOENT|not found/i));
	if (random.below(2) === 0) await cri.StopContainer({ container_id, timeout: 1n });
	await cri.RemoveContainer({ container_id });
};

const probe: Deed = async ({ cri }, { container: container_id }, _image, random) => {
	const cmd = random.of([['true'], ['sh', '-c', 'echo x; sleep 0.05; echo y >&2'], ['sleep', '100']]);
	const call = cri.ExecSync({ container_id, cmd, timeout: 1n });
	await call.catch(expected(/did not end within/));
};

/** A client that leaves in the middle of an exec. */
const leaves: Deed = async ({ cri }, { container: container_id }, _image, random) => {
	const cut = new AbortController();
	const call = cri.ExecSync({ container_id, cmd: ['sleep', '100'], timeout: 5n }, { signal: cut.signal });
	await sleep(random.below(40));
	cut.abort();
	await call.catch(expected(/cancel/i));
};

const update: Deed = async ({ cri }, { container: container_id }) => {
	await cri.UpdateContainerResources({ container_id, linux: { cpu_shares: 512n } });
	await cri.ReopenContainerLog({ container_id });
};

/** Calls that fail and take back what they made. */
const refused: Deed = async ({ cri }, { pod }, image) => {
	const metadata = { name: 'refused', attempt: 0 };
	const noImage = { metadata, image: { image: 'nobody/has:this' } };
	await cri.CreateContainer({ pod_sandbox_id: pod, config: noImage }).catch(expected(/image/i));
	const linux = { resources: { cpuset_cpus: '4095' } };
	const noCpu = { metadata, image: { image }, linux };
	await cri.CreateContainer({ pod_sandbox_id: pod, config: noCpu }).catch(expected(/cpuset/));
};

/** Somebody who waits for events while all this goes on, and leaves without a word. */
const events: Deed = async ({ cri }, _pod, _image, random) => {
	const cut = new AbortController();
	const timer = setTimeout(() => cut.abort(), 5 + random.below(50));
	try {
		for await (const _event of cri.GetContainerEvents({}, { signal: cut.signal }))
			if (cut.signal.aborted) break;
	} catch (error) {
		expected(/cancel/i)(error);
	} finally {
		clearTimeout(timer);
	}
};

const DEEDS: readonly Deed[] = [lists, looks, another, probe, leaves, update, refused, events];

const ENDS: readonly ((endpoint: Endpoint, pod: LivingPod) => Promise<void>)[] = [
	endPod,
	async ({ cri }, { pod }) => void (await cri.RemovePodSandbox({ pod_sandbox_id: pod })),
	async ({ cri }, { pod, container }) => {
		const stopping = cri.StopContainer({ container_id: container, timeout: 1n });
		await Promise.all([stopping, cri.StopPodSandbox({ pod_sandbox_id: pod })]);
		await cri.RemovePodSandbox({ pod_sandbox_id: pod });
	},
];

/** For a call that is to fail or may fail like this. */
function expected(pattern: RegExp): (error: unknown) => void {
	return (error) => {
		if (!pattern.test(String(error))) throw error;
	};
}
