import type { Command } from 'commander';
import type { Container, PodSandbox } from '#cri-api';
import type { Cli } from '../cli.ts';
import { listContainers, listPods, podName } from '../lookup.ts';
import { age, short } from '../output/format.ts';
import { json } from '../output/json.ts';
import { table } from '../output/table.ts';
import type { Act } from '../program.ts';

interface Row {
	readonly pod: PodSandbox | undefined;
	readonly container: Container | undefined;
}

export function addPs(program: Command, act: Act): void {
	program
		.command('ps')
		.description('list pods and their containers')
		.option('-a, --all', 'stopped ones too')
		.action(act<{ all?: boolean }>(async (cli, _args, options) => await ps(cli, options.all ?? false)));
}

async function ps(cli: Cli, all: boolean): Promise<void> {
	const [pods, containers] = await Promise.all([listPods(cli), listContainers(cli)]);
	const rows = rowsOf(pods, containers, all);
	if (cli.options.json)
		return cli.io.out(
			json({
				pods: pods.filter((pod) => rows.some((row) => row.pod === pod)),
				containers: rows.flatMap((row) => row.container ?? []),
			}),
		);
	cli.io.out(
		table(rows, [
			{ title: 'POD', value: ({ pod }) => podName(pod) },
			{ title: 'POD ID', value: ({ pod }) => short(pod?.id ?? '') },
			{ title: 'CONTAINER', value: ({ container }) => container?.metadata?.name ?? '-' },
			{ title: 'ID', value: ({ container }) => short(container?.id ?? '-') },
			{ title: 'STATE', value: stateOf },
			{ title: 'AGE', value: ({ pod, container }) => age(container?.created_at ?? pod?.created_at ?? '0') },
			{
				title: 'IMAGE',
				value: ({ container }) => container?.image?.user_specified_image || container?.image?.image || '-',
			},
		]),
	);
}

/** One row for each container; a pod without any has a row of its own. Newest pods first, containers in order of creation. */
export function rowsOf(
	pods: readonly PodSandbox[],
	containers: readonly Container[],
	all: boolean,
): readonly Row[] {
	const shown = containers
		.filter((container) => all || container.state === 'CONTAINER_RUNNING')
		.toSorted(byCreation);
	const rows = pods
		.toSorted((a, b) => byCreation(b, a))
		.flatMap((pod): Row[] => {
			const own = shown.filter((container) => container.pod_sandbox_id === pod.id);
			if (own.length > 0) return own.map((container) => ({ pod, container }));
			return all || pod.state === 'SANDBOX_READY' ? [{ pod, container: undefined }] : [];
		});
	const orphans = shown.filter((container) => !pods.some((pod) => pod.id === container.pod_sandbox_id));
	return [...rows, ...orphans.map((container) => ({ pod: undefined, container }))];
}

function byCreation(a: { created_at: string }, b: { created_at: string }): number {
	return Number(BigInt(a.created_at) - BigInt(b.created_at));
}

function stateOf({ pod, container }: Row): string {
	if (container !== undefined) return container.state.replace('CONTAINER_', '').toLowerCase();
	return pod?.state === 'SANDBOX_READY' ? 'ready' : 'not ready';
}
