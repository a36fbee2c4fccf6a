import type { Command } from 'commander';
import { invalidArgument } from '#base/errors.ts';
import type { Container, PodSandbox } from '#cri-api';
import type { Cli } from '../cli.ts';
import { findPod, listPods, podName } from '../lookup.ts';
import { json } from '../output/json.ts';
import { removePodFolders } from '../pod/folders.ts';
import { ANNOTATIONS } from '../pod/labels.ts';
import type { Act } from '../program.ts';

const DEFAULT_GRACE_SECONDS = 30;

interface RmOptions {
	readonly all?: boolean;
	readonly force?: boolean;
}

export function addRm(program: Command, act: Act): void {
	program
		.command('rm')
		.description('stop pods, each container within its grace period, and remove them with their volumes')
		.argument('[pod...]')
		.option('--all', 'every pod')
		.option('--force', 'without grace period')
		.action(
			act<RmOptions>(async (cli, names, options) => {
				if (!options.all && names.length === 0) throw invalidArgument('Name a pod, or give --all');
				const pods = options.all
					? await listPods(cli)
					: await Promise.all(names.map((name) => findPod(cli, name)));
				for (const pod of pods) {
					await removePod(cli, pod, options.force ? 0 : undefined);
					if (!cli.options.json) cli.io.out(`${podName(pod)}\n`);
				}
				if (cli.options.json) cli.io.out(json({ removed: pods.map((pod) => pod.id) }));
			}),
		);
}

/** Main containers first and together, then the sidecars in reverse order, then the sandbox. */
export async function removePod(cli: Cli, pod: PodSandbox, graceSeconds?: number): Promise<void> {
	const { containers } = await cli.call('ListContainers', {
		filter: { pod_sandbox_id: pod.id, state: { state: 'CONTAINER_RUNNING' } },
	});
	const sidecars = containers
		.filter((container) => container.annotations[ANNOTATIONS.kind] === 'sidecar')
		.toSorted(newestFirst);
	const others = containers.filter((container) => !sidecars.includes(container));
	await Promise.all(others.map((container) => stop(cli, container, graceSeconds)));
	for (const sidecar of sidecars) await stop(cli, sidecar, graceSeconds);
	await cli.call('StopPodSandbox', { pod_sandbox_id: pod.id });
	await cli.call('RemovePodSandbox', { pod_sandbox_id: pod.id });
	await removePodFolders(await cli.folders(), pod.metadata?.uid ?? '');
}

async function stop(cli: Cli, container: Container, graceSeconds: number | undefined): Promise<void> {
	const grace =
		graceSeconds ?? Number(container.annotations[ANNOTATIONS.gracePeriod] ?? DEFAULT_GRACE_SECONDS);
	await cli.call(
		'StopContainer',
		{ container_id: container.id, timeout: grace },
		{ timeoutMs: (grace + 60) * 1000 },
	);
}

function newestFirst(a: Container, b: Container): number {
	return Number(BigInt(b.created_at) - BigInt(a.created_at));
}
