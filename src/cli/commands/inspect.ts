import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { errnoOf, notFound, StatusError } from '#base/errors.ts';
import type { Stage } from '../../sandbox/types.ts';
import type { Cli } from '../cli.ts';
import { findContainer, findPod } from '../lookup.ts';
import { json } from '../output/json.ts';
import { type TimelineStage, timelineTable } from '../output/timeline.ts';
import type { Act } from '../program.ts';

interface InspectOptions {
	readonly plan?: boolean;
	readonly timeline?: boolean;
}

/** One object as the daemon tells it. */
interface Inspected {
	readonly kind: 'pod' | 'container';
	readonly id: string;
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
		.option('--timeline', 'how long each stage of its start took')
		.action(act<InspectOptions>(async (cli, [name = ''], options) => await inspect(cli, name, options)));
}

async function inspect(cli: Cli, name: string, options: InspectOptions): Promise<void> {
	const found = await find(cli, name);
	if (options.plan) return await showPlan(cli, found);
	if (options.timeline) return showTimeline(cli, found);
	cli.io.out(json({ kind: found.kind, status: found.status, info: found.info }));
}

async function find(cli: Cli, name: string): Promise<Inspected> {
	try {
		const { id } = await findPod(cli, name);
		const { status, info } = await cli.call('PodSandboxStatus', { pod_sandbox_id: id, verbose: true });
		return { kind: 'pod', id, status, info: parsed(info) };
	} catch (error) {
		if (!(error instanceof StatusError) || error.condition !== 'NOT_FOUND') throw error;
	}
	try {
		const { id } = await findContainer(cli, name);
		const { status, info } = await cli.call('ContainerStatus', { container_id: id, verbose: true });
		return { kind: 'container', id, status, info: parsed(info) };
	} catch (error) {
		if (!(error instanceof StatusError) || error.condition !== 'NOT_FOUND') throw error;
		throw notFound(`There is no pod and no container ${name}; "gantry ps -a" lists what there is`, {
			cause: error,
		});
	}
}

function parsed(info: Readonly<Record<string, string>>): Record<string, unknown> {
	const parse = (text: string): unknown => {
		try {
			return JSON.parse(text);
		} catch {
			return text;
		}
	};
	return Object.fromEntries(Object.entries(info).map(([key, text]) => [key, parse(text)]));
}

async function showPlan(cli: Cli, { kind, id, info }: Inspected): Promise<void> {
	const { state } = await cli.folders();
	const folder = join(state, kind === 'pod' ? 'sandboxes' : 'containers', id);
	const launch = await readPlan(join(folder, 'bundle', 'plan.txt'), kind, id);
	const network = kind === 'pod' ? await networkPlan(info) : [];
	if (cli.options.json) return cli.io.out(json({ id, launch, network }));
	cli.io.out(`# launch plan of ${kind} ${id}\n${launch.join('\n')}\n`);
	if (network.length > 0) cli.io.out(`\n# network plan of pod ${id}\n${network.join('\n')}\n`);
}

async function readPlan(path: string, kind: string, id: string): Promise<readonly string[]> {
	try {
		return (await readFile(path, 'utf8')).trimEnd().split('\n');
	} catch (error) {
		if (errnoOf(error) !== 'ENOENT') throw error;
		throw notFound(
			`There is no launch plan of ${kind} ${id} at ${path}; --root and --state must be those of the daemon`,
			{ cause: error },
		);
	}
}

function networkPlan(info: Readonly<Record<string, unknown>>): readonly string[] {
	const plan = info.networkPlan;
	return Array.isArray(plan) ? plan.map(String) : [];
}

function showTimeline(cli: Cli, { kind, id, info }: Inspected): void {
	const stages = (info.timeline ?? []) as readonly Stage[];
	if (cli.options.json) return void cli.io.out(json({ id, stages }));
	const title = `${kind} ${id}`;
	const rows: TimelineStage[] = stages.map((stage) => ({ ...stage, of: '' }));
	cli.io.out(`# start of ${title}\n${timelineTable(rows)}`);
}
