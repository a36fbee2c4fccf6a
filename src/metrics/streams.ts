import { Gauge, type Registry } from 'prom-client';

/** exec: a command that runs in a container. attach, portforward: a client. events: a reader of GetContainerEvents. */
export type StreamKind = (typeof STREAM_KINDS)[number];
const STREAM_KINDS = ['exec', 'attach', 'portforward', 'events'] as const;

export interface StreamMetrics {
	/** Until it is disposed of. */
	streamOpened(kind: StreamKind): Disposable;
}

export function createStreamMetrics(registers: Registry[]): StreamMetrics {
	const open = new Gauge({
		name: 'gantry_open_streams',
		help: 'Streams that are open: commands that run in containers (exec), clients of attach and port-forward (attach, portforward), readers of events (events).',
		labelNames: ['kind'],
		registers,
	});
	for (const kind of STREAM_KINDS) open.set({ kind }, 0);
	return {
		streamOpened(kind) {
			open.inc({ kind });
			return { [Symbol.dispose]: () => open.dec({ kind }) };
		},
	};
}
