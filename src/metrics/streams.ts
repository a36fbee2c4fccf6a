import { Gauge, type Registry } from 'prom-client';

/** exec: a command that runs in a container. events: a reader of GetContainerEvents. */
export type StreamKind = 'exec' | 'events';

export interface StreamMetrics {
	/** Until it is disposed of. */
	streamOpened(kind: StreamKind): Disposable;
}

export function createStreamMetrics(registers: Registry[]): StreamMetrics {
	const open = new Gauge({
		name: 'gantry_open_streams',
		help: 'Streams that are open: commands that run in containers (exec), readers of events (events).',
		labelNames: ['kind'],
		registers,
	});
	for (const kind of ['exec', 'events'] satisfies StreamKind[]) open.set({ kind }, 0);
	return {
		streamOpened(kind) {
			open.inc({ kind });
			return { [Symbol.dispose]: () => open.dec({ kind }) };
		},
	};
}
