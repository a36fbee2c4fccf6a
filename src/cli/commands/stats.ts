import type { Command } from 'commander';
import type { ContainerStats, PodSandboxStats } from '#cri-api';
import type { Cli } from '../cli.ts';
import { findPod } from '../lookup.ts';
import { bytes, duration } from '../output/format.ts';
import { json } from '../output/json.ts';
import { table } from '../output/table.ts';
import type { Act } from '../program.ts';

interface Row {
	readonly pod: PodSandboxStats;
	readonly container: ContainerStats | undefined;
}

export function addStats(program: Command, act: Act): void {
	program
		.command('stats')
		.description('what pods and containers use')
		.argument('[pod]', 'only this pod')
		.action(act(async (cli, [pod]) => await stats(cli, pod)));
}

async function stats(cli: Cli, name: string | undefined): Promise<void> {
	const id = name === undefined ? '' : (await findPod(cli, name)).id;
	const list = (await cli.call('ListPodSandboxStats', { filter: { id } })).stats;
	if (cli.options.json) return cli.io.out(json(list));
	const rows = list.flatMap((pod): Row[] => [
		{ pod, container: undefined },
		...(pod.linux?.containers ?? []).map((container) => ({ pod, container })),
	]);
	const usage = ({ pod, container }: Row) => container ?? pod.linux;
	cli.io.out(
		table(rows, [
			{ title: 'POD', value: ({ pod }) => pod.attributes?.metadata?.name ?? '' },
			{ title: 'CONTAINER', value: ({ container }) => container?.attributes?.metadata?.name ?? '' },
			{ title: 'CPU', value: (row) => cores(usage(row)?.cpu?.usage_nano_cores?.value), right: true },
			{
				title: 'CPU TIME',
				value: (row) => cpuTime(usage(row)?.cpu?.usage_core_nano_seconds?.value),
				right: true,
			},
			{ title: 'MEMORY', value: (row) => size(usage(row)?.memory?.working_set_bytes?.value), right: true },
			{
				title: 'DISK',
				value: ({ container }) => size(container?.writable_layer?.used_bytes?.value),
				right: true,
			},
			{
				title: 'NET IN/OUT',
				value: ({ pod, container }) => (container === undefined ? traffic(pod) : ''),
				right: true,
			},
			{
				title: 'PIDS',
				value: ({ pod, container }) =>
					container === undefined ? (pod.linux?.process?.process_count?.value ?? '') : '',
				right: true,
			},
		]),
	);
}

const size = (value: string | undefined) => (value === undefined ? '-' : bytes(value));
const cpuTime = (value: string | undefined) => (value === undefined ? '-' : duration(Number(value) / 1000));

/** In cores: `0.02`. */
function cores(value: string | undefined): string {
	return value === undefined ? '-' : (Number(value) / 1e9).toFixed(2);
}

function traffic(pod: PodSandboxStats): string {
	const network = pod.linux?.network?.default_interface;
	if (network === undefined || network === null) return '-';
	return `${size(network.rx_bytes?.value)} / ${size(network.tx_bytes?.value)}`;
}
