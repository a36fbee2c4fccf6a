import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ContainerState } from '#cri-api';
import type { ImageMetrics } from '#images';

/** What the daemon counts and measures, for Prometheus. */
export interface Metrics {
	/** One call has ended: `code` is OK or the condition it failed with. */
	operation(name: string, code: string, seconds: number): void;
	stage(operation: string, stage: string, seconds: number): void;
	oomKilled(): void;
	eventsDropped(count: number): void;
	launcherRestarted(): void;
	/** For the image store. */
	readonly images: Required<ImageMetrics>;
	/** The text that /metrics answers, and its content type. */
	render(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** Objects by state, counted when the metrics are asked for. */
export interface Population {
	containers(): ReadonlyMap<ContainerState, number>;
	sandboxes(): ReadonlyMap<string, number>;
}

const CALL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const PULL_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600];

export function createMetrics(version: string, population: Population): Metrics {
	const registry = new Registry();
	const registers = [registry];
	collectDefaultMetrics({ register: registry });
	new Gauge({ name: 'gantry_info', help: 'Version of the daemon.', labelNames: ['version'], registers }).set(
		{ version },
		1,
	);
	addPopulation(registers, population);
	const operations = new Counter({
		name: 'gantry_operations_total',
		help: 'CRI calls that have ended, by gRPC code.',
		labelNames: ['operation', 'code'],
		registers,
	});
	const durations = new Histogram({
		name: 'gantry_operation_duration_seconds',
		help: 'How long CRI calls took.',
		labelNames: ['operation'],
		buckets: CALL_SECONDS,
		registers,
	});
	const stages = new Histogram({
		name: 'gantry_stage_duration_seconds',
		help: 'How long the stages of CRI calls took.',
		labelNames: ['operation', 'stage'],
		buckets: CALL_SECONDS,
		registers,
	});
	const counter = (name: string, help: string) => new Counter({ name, help, registers });
	const oomKills = counter(
		'gantry_oom_kills_total',
		'Containers that ended because the kernel killed them for lack of memory.',
	);
	const dropped = counter('gantry_events_dropped_total', 'Container events that a slow reader did not get.');
	const launchers = counter(
		'gantry_launcher_restarts_total',
		'How often the launcher was gone and had to be started again.',
	);
	return {
		operation(name, code, seconds) {
			operations.inc({ operation: name, code });
			durations.observe({ operation: name }, seconds);
		},
		stage: (operation, stage, seconds) => stages.observe({ operation, stage }, seconds),
		oomKilled: () => oomKills.inc(),
		eventsDropped: (count) => dropped.inc(count),
		launcherRestarted: () => launchers.inc(),
		images: createImageMetrics(registers),
		render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
	};
}

function createImageMetrics(registers: Registry[]): Required<ImageMetrics> {
	const options = { registers };
	const pulls = new Counter({
		name: 'gantry_image_pulls_total',
		help: 'Image pulls, by result.',
		labelNames: ['result'],
		...options,
	});
	const bytes = new Counter({
		name: 'gantry_image_pull_bytes_total',
		help: 'Bytes of image pulls that succeeded.',
		...options,
	});
	const reused = new Counter({
		name: 'gantry_image_layer_reused_bytes_total',
		help: 'Bytes of layers that were here already.',
		...options,
	});
	const seconds = new Histogram({
		name: 'gantry_image_pull_duration_seconds',
		help: 'How long image pulls took.',
		buckets: PULL_SECONDS,
		...options,
	});
	return {
		pulled(result) {
			pulls.inc({ result: result.ok ? 'ok' : 'error' });
			if (result.ok) bytes.inc(result.bytes);
			seconds.observe(result.elapsedMs / 1000);
		},
		layerReused: (count) => reused.inc(count),
	};
}

function addPopulation(registers: Registry[], population: Population): void {
	const gauge = (name: string, help: string, count: () => ReadonlyMap<string, number>) =>
		new Gauge({
			name,
			help,
			labelNames: ['state'],
			registers,
			collect() {
				this.reset();
				for (const [state, number] of count()) this.set({ state }, number);
			},
		});
	gauge('gantry_containers', 'Containers, by state.', population.containers);
	gauge('gantry_sandboxes', 'Pod sandboxes, by state.', population.sandboxes);
}

/** How often each key occurs. */
export function countBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, number> {
	const counts = new Map<K, number>();
	for (const item of items) {
		const key = keyOf(item);
		counts.set(key, (counts.get(key) ?? 0) + 1);
	}
	return counts;
}
