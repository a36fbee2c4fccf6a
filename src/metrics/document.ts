import { createMetrics, type MetricInfo } from './metrics.ts';

/** The table of all metrics for the README: those of Gantry, then those of the process. */
export function documentedMetrics(): string {
	const metrics = createMetrics('', {
		containers: () => [],
		sandboxes: () => [],
		networkReady: () => true,
	});
	metrics.collectProcess();
	const rows = metrics.list().toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
	return ['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows.map(rowOf)].join('\n');
}

const rank = ({ name }: MetricInfo): number => (name.startsWith('gantry_') ? 0 : 1);

const rowOf = ({ name, type, labels, help }: MetricInfo): string =>
	`| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help} |`;
