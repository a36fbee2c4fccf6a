/** What a metric is: its descriptor, and how its values are read. */
import type { MetricDescriptorInit, MetricInit, MetricType } from '#cri-api';

/** One value of a metric, with those of the labels that only this metric has. */
export interface Sample {
	readonly value: bigint;
	readonly labels?: readonly string[];
	/** When it was measured, in nanoseconds since 1970. Not set: now. */
	readonly atNs?: bigint;
}

/** All metrics of one name, from readings of type R. */
export interface Family<R> {
	readonly name: string;
	readonly help: string;
	readonly type: MetricType;
	/** Labels beside those that all have. */
	readonly labels: readonly string[];
	readonly read: (reading: R) => readonly Sample[];
}

/** What a single value is read as; undefined when the kernel of this machine does not count it. */
type Value = bigint | Sample | undefined;

const single =
	(type: MetricType) =>
	<R>(name: string, help: string, read: (reading: R) => Value): Family<R> => ({
		name,
		help,
		type,
		labels: [],
		read: (reading) => {
			const value = read(reading);
			if (value === undefined) return [];
			return [typeof value === 'bigint' ? { value } : value];
		},
	});

const labelled =
	(type: MetricType) =>
	<R>(
		name: string,
		labels: readonly string[],
		help: string,
		read: (reading: R) => readonly Sample[],
	): Family<R> => ({ name, help, type, labels, read });

export const counter = single('COUNTER');
export const gauge = single('GAUGE');
export const counters = labelled('COUNTER');
export const gauges = labelled('GAUGE');

/** The labels of every metric, those that CRI-O gives: the kubelet passes them on to Prometheus as they are. */
const BASE_LABELS = ['id', 'image', 'namespace', 'pod', 'container'] as const;

/** The values of the labels of every metric, by name. */
export type BaseLabels = Readonly<Record<(typeof BASE_LABELS)[number], string>>;

export const descriptorOf = <R>({ name, help, labels }: Family<R>): MetricDescriptorInit => ({
	name,
	help,
	label_keys: [...BASE_LABELS, ...labels],
});

/** Reads every family. A timestamp of 0 means "now" (CRI, Metric). */
export function readFamilies<R>(
	families: readonly Family<R>[],
	reading: R,
	labels: BaseLabels,
): MetricInit[] {
	const base = BASE_LABELS.map((label) => labels[label]);
	return families.flatMap(({ name, type, read }) =>
		read(reading).map((sample) => ({
			name,
			metric_type: type,
			timestamp: sample.atNs ?? 0n,
			label_values: sample.labels === undefined ? base : [...base, ...sample.labels],
			value: { value: sample.value },
		})),
	);
}

/** Values are whole numbers (CRI, Metric), seconds too. */
export const secondsOfNs = (ns: bigint): bigint => ns / 1_000_000_000n;
export const secondsOfUs = (us: bigint): bigint => us / 1_000_000n;
