import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { CALL_SECONDS } from './buckets.ts';

/** A call, from its beginning to its end. */
export interface OperationUnderWay {
	readonly name: string;
	/** As performance.now() tells it. */
	readonly startedMs: number;
}

export interface OperationMetrics {
	operationBegan(operation: OperationUnderWay): void;
	/** `code` is OK or the condition it failed with. */
	operationEnded(operation: OperationUnderWay, code: string, seconds: number): void;
}

export function createOperationMetrics(registers: Registry[]): OperationMetrics {
	const underWay = new Set<OperationUnderWay>();
	const names = new Set<string>();
	const ended = new Counter({
		name: 'gantry_operations_total',
		help: 'CRI calls that have ended, by gRPC code.',
		labelNames: ['operation', 'code'],
		registers,
	});
	const durations = new Histogram({
		name: 'gantry_operation_duration_seconds',
		help: 'How long CRI calls took, those that failed included.',
		labelNames: ['operation'],
		buckets: CALL_SECONDS,
		registers,
	});
	addUnderWay(registers, underWay, names);
	return {
		operationBegan(operation) {
			underWay.add(operation);
			names.add(operation.name);
		},
		operationEnded(operation, code, seconds) {
			underWay.delete(operation);
			ended.inc({ operation: operation.name, code });
			durations.observe({ operation: operation.name }, seconds);
		},
	};
}

/** How many run, and for how long: a call that hangs is seen before anyone's deadline. */
function addUnderWay(
	registers: Registry[],
	underWay: ReadonlySet<OperationUnderWay>,
	names: ReadonlySet<string>,
): void {
	const gauge = (name: string, help: string, fill: (gauge: Gauge<'operation'>) => void) =>
		new Gauge({
			name,
			help,
			labelNames: ['operation'],
			registers,
			collect() {
				for (const operation of names) this.set({ operation }, 0);
				fill(this);
			},
		});
	gauge('gantry_operations_in_flight', 'CRI calls under way.', (running) => {
		for (const { name } of underWay) running.inc({ operation: name });
	});
	const help = 'How long the oldest call under way has been running; 0 when there is none.';
	gauge('gantry_operation_oldest_seconds', help, (oldest) => {
		const now = performance.now();
		// From the last to the first: a set keeps the order in which calls began.
		for (const { name, startedMs } of [...underWay].reverse())
			oldest.set({ operation: name }, (now - startedMs) / 1000);
	});
}
