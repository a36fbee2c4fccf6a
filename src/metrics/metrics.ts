import { setImmediate } from 'node:timers/promises';
import { Gauge, Registry } from 'prom-client';
import type { ImageMetrics } from '#images';
import { createImageMetrics } from './images.ts';
import { createLossMetrics, type LossMetrics } from './losses.ts';
import { createOperationMetrics, type OperationMetrics } from './operations.ts';
import { addPresent, type Present } from './present.ts';
import { collectProcess } from './process.ts';
import { createStartMetrics, type StartMetrics } from './starts.ts';
import { createStreamMetrics, type StreamMetrics } from './streams.ts';

/** What the daemon counts and measures, for Prometheus. No label has an id in it: their values are few. */
export interface Metrics extends OperationMetrics, StartMetrics, StreamMetrics, LossMetrics {
	/** For the image store. */
	readonly images: Required<ImageMetrics>;
	/** Adds those of the process. Once, when somebody is to see them: measuring the event loop is not free. */
	collectProcess(): void;
	/** The text that /metrics answers, and its content type. */
	render(): Promise<{ readonly contentType: string; readonly text: string }>;
	/** Every metric that there is, for the documentation. */
	list(): readonly MetricInfo[];
}

export interface MetricInfo {
	readonly name: string;
	readonly type: string;
	readonly labels: readonly string[];
	readonly help: string;
}

export function createMetrics(version: string, present: Present): Metrics {
	const registry = new Registry();
	const registers = [registry];
	const info = new Gauge({
		name: 'gantry_build_info',
		help: 'Always 1; version of the daemon, and of the Node that it runs on.',
		labelNames: ['version', 'node'],
		registers,
	});
	info.set({ version, node: process.versions.node }, 1);
	addPresent(registers, present);
	return {
		...createOperationMetrics(registers),
		...createStartMetrics(registers),
		...createStreamMetrics(registers),
		...createLossMetrics(registers),
		images: createImageMetrics(registers),
		collectProcess: () => collectProcess(registry),
		render: async () => ({ contentType: registry.contentType, text: await render(registry) }),
		list: () => registry.getMetricsAsArray().map(infoOf),
	};
}

/** One metric at a time: calls go on in between. */
async function render(registry: Registry): Promise<string> {
	let text = '';
	for (const { name } of registry.getMetricsAsArray()) {
		text += `${await registry.getSingleMetricAsString(name)}\n`;
		await setImmediate();
	}
	return text;
}

/** Its types leave out labelNames. */
function infoOf(metric: { name: string; help: string; labelNames?: string[] }): MetricInfo {
	const { name, help, labelNames = [] } = metric;
	return { name, type: typeOf(metric), labels: labelNames, help };
}

const typeOf = (metric: object): string => metric.constructor.name.toLowerCase();
