/** The record: the figures of one run that is kept in the repository, and the machine on which they were measured. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Endpoint } from './endpoint.ts';
import type { Figure } from './figures.ts';
import type { BenchOptions } from './options.ts';
import type { Failure } from './parts.ts';
import { align, show } from './table.ts';

const FILE = new URL('record.json', import.meta.url);
const PICTURE = new URL('record.svg', import.meta.url);

export interface BenchRecord {
	/** As in 2024-01-31. */
	readonly date: string;
	readonly machine: {
		readonly cpu: string;
		readonly cpus: number;
		readonly memoryGib: number;
		readonly kernel: string;
		readonly cgroup: 'v1' | 'v2';
		readonly architecture: string;
		readonly node: string;
		/** Processes that wanted a processor in the minute before the run. */
		readonly load: number;
	};
	/** By endpoint: `containerd 1.6.20`. */
	readonly versions: Readonly<Record<string, string>>;
	readonly options: BenchOptions;
	readonly figures: readonly Figure[];
}

/** What is known before the run: the figures are added to it. */
export async function describeRun(
	options: BenchOptions,
	endpoints: readonly Endpoint[],
): Promise<Omit<BenchRecord, 'figures'>> {
	const machine = {
		cpu: cpus()[0]?.model ?? 'unknown',
		cpus: cpus().length,
		memoryGib: Math.round(totalmem() / 2 ** 30),
		kernel: release(),
		cgroup: existsSync('/sys/fs/cgroup/cgroup.controllers') ? ('v2' as const) : ('v1' as const),
		architecture: process.arch,
		node: process.versions.node,
		load: Number(loadavg()[0]?.toFixed(1)),
	};
	const versions: Record<string, string> = {};
	for (const { name, cri } of endpoints) {
		const { runtime_name, runtime_version } = await cri.Version();
		versions[name] = `${runtime_name} ${runtime_version}`;
	}
	return { date: new Date().toISOString().slice(0, 10), machine, versions, options };
}

/** One line for people. */
export function describeMachine({ date, machine, versions }: Omit<BenchRecord, 'figures'>): string {
	const { cpu, cpus: count, memoryGib, kernel, cgroup, architecture, node, load } = machine;
	const hardware = `${count} × ${cpu} (${architecture}), ${memoryGib} GiB`;
	const software = `Linux ${kernel}, cgroup ${cgroup}, Node ${node}, ${[...new Set(Object.values(versions))].join(', ')}`;
	return `${date}: ${hardware}; ${software}; load before the run ${load}`;
}

export function lastRecord(): BenchRecord | undefined {
	return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as BenchRecord) : undefined;
}

/** A run that has measured only some of it is none to compare with. */
export function isForTheRecord({ record }: BenchOptions, failures: readonly Failure[]): boolean {
	return record && failures.length === 0;
}

export function keepRecord(record: BenchRecord, picture: string): void {
	writeFileSync(FILE, `${JSON.stringify(record, undefined, '\t')}\n`);
	writeFileSync(PICTURE, picture);
}

/** Medians beside those of the record, for every endpoint. Figures that only one of them has are left out. */
export function drawComparison(
	record: BenchRecord,
	figures: readonly Figure[],
	endpoints: readonly string[],
): string {
	const rows = figures.flatMap((figure) => {
		const { part, name, unit, better } = figure;
		const old = record.figures.find((each) => each.part === part && each.name === name);
		if (old === undefined) return [];
		const cells = endpoints.flatMap((endpoint) => {
			const [was, is] = [old.values[endpoint]?.p50, figure.values[endpoint]?.p50];
			return [show(was), show(is), show(gain(was, is, better))];
		});
		return [[`${part}: ${name} (${unit})`, ...cells]];
	});
	const head = endpoints.flatMap((endpoint) => [`${endpoint}: record`, 'now', 'times better']);
	return align([['beside the record', ...head], ...rows]);
}

function gain(was: number | undefined, is: number | undefined, better: 'less' | 'more'): number | undefined {
	if (!was || !is) return undefined;
	return better === 'less' ? was / is : is / was;
}
