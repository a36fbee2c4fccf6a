import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { errnoOf, notFound, StatusError } from '#base/errors.ts';
import { parseNumberedLines, parseStepLine } from '#runtime';
import type { Stage } from '../../sandbox/types.ts';
import type { Cli } from '../cli.ts';
import { findContainer, findPod } from '../lookup.ts';
import { json } from '../output/json.ts';
import { timelineTable } from '../output/timeline.ts';
import type { Act } from '../program.ts';
import { timelineOf } from '../timeline.ts';

interface InspectOptions {
	readonly plan?: boolean;
	readonly timeline?: boolean;
}

/** One object as the daemon tells it. */
interface Inspected {
	readonly kind: 'pod' | 'container';
	readonly id: string;
	readonly name: string;
	readonly status: unknown;
	/** The verbose part of the answer, with its JSON texts parsed. */
	readonly info: Readonly<Record<string, unknown>>;
}

export function addInspect(program: Command, act: Act): void {
	program
		.command('inspect')
		.description('everything about a pod or a container')
		.argument('<id>', 'id, beginning of one, or name')
		.option('--plan', 'what was done to make it: its launch plan, and the network plan of a pod')
		.option('--timeline', 'what took how long in its start: stages, steps of the launch plan, hooks')
		.action(act<InspectOptions>(async (cli, [name = ''], options) => await inspect(cli, name, options)));
}

async function inspect(cli: Cli, name: string, options: InspectOptions): Promise<void> {
	const found = await find(cli, name);
	if (options.plan) return await showPlan(cli, found);
	if (options.timeline) return await showTimeline(cli, found);
	cli.io.out(json({ kind: found.kind, status: found.status, info: found.info }));
}

async function find(cli: Cli, name: string): Promise<Inspected> {
	try {
		return await inspectPod(cli, (await findPod(cli, name)).id);
	} catch (error) {
		if (!(error instanceof StatusError) || error.condition !== 'NOT_FOUND') throw error;
	}
	try {
		return await inspectContainer(cli, (await findContainer(cli, name)).id);
	} catch (error) {
		if (!(error instanceof StatusError) || error.condition !== 'NOT_FOUND') throw error;
		throw notFound(`There is no pod and no container ${name}; "gantry ps -a" lists what there is`, {
			cause: error,
		});
	}
}

async function inspectPod(cli: Cli, id: string): Promise<Inspected> {
	const { status, info } = await cli.call('PodSandboxStatus', { pod_sandbox_id: id, verbose: true });
	return { kind: 'pod', id, name: status?.metadata?.name ?? '', status, info: parsed(info) };
}

async function inspectContainer(cli: Cli, id: string): Promise<Inspected> {
	const { status, info } = await cli.call('ContainerStatus', { container_id: id, verbose: true });
	return { kind: 'container', id, name: status?.metadata?.name ?? '', status, info: parsed(info) };
}

/** The daemon puts one JSON object under `info`; another runtime may do as it likes. */
function parsed({ info = '{}' }: Readonly<Record<string, string>>): Record<string, unknown> {
	try {
		return JSON.parse(info) as Record<string, unknown>;
	} catch {
		return {};
	}
}

async function showPlan(cli: Cli, { kind, id, info }: Inspected): Promise<void> {
	const launch = await readPlan(String(info.plan ?? ''), kind, id);
	const network = networkPlan(info);
	if (cli.options.json) return cli.io.out(json({ id, launch, network }));
	cli.io.out(`# launch plan of ${kind} ${id}\n${launch.join('\n')}\n`);
	if (network.length > 0) cli.io.out(`\n# network plan of ${kind} ${id}\n${network.join('\n')}\n`);
}

async function readPlan(path: string, kind: string, id: string): Promise<readonly string[]> {
	try {
		return (await readFile(path, 'utf8')).trimEnd().split('\n');
	} catch (error) {
		if (errnoOf(error) !== 'ENOENT') throw error;
		throw notFound(
			`The launch plan of ${kind} ${id} is not there any more${path === '' ? '' : ` (${path})`}`,
			{ cause: error },
		);
	}
}

function networkPlan(info: Readonly<Record<string, unknown>>): readonly string[] {
	const plan = info.networkPlan;
	return Array.isArray(plan) ? plan.map(String) : [];
}

/** Of a container its own start; of a pod its start and then that of each of its containers. */
async function showTimeline(cli: Cli, found: Inspected): Promise<void> {
	const containers = found.kind === 'pod' ? await containersOfPod(cli, found.id) : [];
	const timelines = await Promise.all([found, ...containers].map(timeline));
	if (cli.options.json) return cli.io.out(json(timelines));
	const texts = timelines.map(
		({ kind, name, stages }) => `# start of ${kind} ${name}\n${timelineTable(stages)}`,
	);
	cli.io.out(texts.join('\n'));
}

async function timeline({ kind, id, name, info }: Inspected) {
	const stages = (info.timeline ?? []) as readonly Stage[];
	// Without its plan a start still has its stages.
	const plan = await readPlan(String(info.plan ?? ''), kind, id).catch(() => []);
	const steps = { plan: parseNumberedLines(plan), network: networkPlan(info).map(parseStepLine) };
	return { kind, id, name, stages: timelineOf(stages, steps) };
}

async function containersOfPod(cli: Cli, podId: string): Promise<readonly Inspected[]> {
	const { containers } = await cli.call('ListContainers', { filter: { pod_sandbox_id: podId } });
	const inOrder = containers.toSorted((a, b) => Number(BigInt(a.created_at) - BigInt(b.created_at)));
	return await Promise.all(inOrder.map((container) => inspectContainer(cli, container.id)));
}
