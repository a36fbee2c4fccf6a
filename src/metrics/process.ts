import { collectDefaultMetrics, type Registry } from 'prom-client';

/** How often the event loop is looked at. */
const EVENT_LOOP_LOOK_MS = 20;

/** Gauges that Prometheus' conventions would take for counters. What they add up is told by nodejs_active_resources. */
const MISNAMED = [
	'nodejs_active_handles',
	'nodejs_active_handles_total',
	'nodejs_active_requests',
	'nodejs_active_requests_total',
	'nodejs_active_resources_total',
];

/** The process itself: CPU, memory, descriptors, event loop, garbage collection. Costs a little all the time. */
export function collectProcess(register: Registry): void {
	collectDefaultMetrics({ register, eventLoopMonitoringPrecision: EVENT_LOOP_LOOK_MS });
	for (const name of MISNAMED) register.removeSingleMetric(name);
}
