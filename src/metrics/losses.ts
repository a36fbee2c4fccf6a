import { Counter, type Registry } from 'prom-client';

export type ShimLoss = 'gone' | 'hung';
export type NetworkFailure = 'attach' | 'detach' | 'release';

/** What should not happen, counted from zero, so that the first time is seen as an increase. */
export interface LossMetrics {
	oomKilled(): void;
	eventsDropped(count: number): void;
	launcherRestarted(): void;
	/** hung: it did not answer and was killed. */
	shimLost(how: ShimLoss): void;
	/** attach and detach: the createRuntime or poststop hook of a sandbox. release: what the daemon frees after it. */
	networkFailed(at: NetworkFailure): void;
}

export function createLossMetrics(registers: Registry[]): LossMetrics {
	const counter = (name: string, help: string) => new Counter({ name, help, registers });
	const counterBy = <L extends string>(name: string, help: string, label: L, values: readonly string[]) => {
		const labelled = new Counter({ name, help, labelNames: [label], registers });
		const labelsOf = (value: string) => ({ [label]: value }) as Record<L, string>;
		for (const value of values) labelled.inc(labelsOf(value), 0);
		return (value: string) => labelled.inc(labelsOf(value));
	};
	const oomKills = counter(
		'gantry_oom_kills_total',
		'Containers that ended because the kernel killed them for lack of memory.',
	);
	const dropped = counter('gantry_events_dropped_total', 'Container events that a slow reader did not get.');
	const launchers = counter(
		'gantry_launcher_restarts_total',
		'How often the launcher was gone and had to be started again.',
	);
	const shims = counterBy(
		'gantry_shims_lost_total',
		'Shims of ready sandboxes that ended unasked (gone), or did not answer and were killed (hung).',
		'how',
		['gone', 'hung'] satisfies ShimLoss[],
	);
	const networks = counterBy(
		'gantry_network_failures_total',
		'Network hooks that failed, when a sandbox was attached or detached, and releases that are not complete.',
		'at',
		['attach', 'detach', 'release'] satisfies NetworkFailure[],
	);
	return {
		oomKilled: () => oomKills.inc(),
		eventsDropped: (count) => dropped.inc(count),
		launcherRestarted: () => launchers.inc(),
		shimLost: shims,
		networkFailed: networks,
	};
}
