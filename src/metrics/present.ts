import { Gauge, type Registry } from 'prom-client';

/** What there is now: asked for when the metrics are. */
export interface Present {
	/** State names, one per container. */
	containers(): Iterable<string>;
	sandboxes(): Iterable<string>;
	networkReady(): boolean;
}

const CONTAINER_STATES = ['created', 'running', 'exited', 'unknown'];
const SANDBOX_STATES = ['ready', 'notready', 'unknown'];

export function addPresent(registers: Registry[], present: Present): void {
	const byState = (name: string, help: string, all: readonly string[], states: () => Iterable<string>) =>
		new Gauge({
			name,
			help,
			labelNames: ['state'],
			registers,
			collect() {
				const counts = new Map(all.map((state) => [state, 0]));
				for (const state of states()) counts.set(state, (counts.get(state) ?? 0) + 1);
				for (const [state, count] of counts) this.set({ state }, count);
			},
		});
	byState('gantry_containers', 'Containers, by state.', CONTAINER_STATES, present.containers);
	byState('gantry_sandboxes', 'Pod sandboxes, by state.', SANDBOX_STATES, present.sandboxes);
	new Gauge({
		name: 'gantry_network_ready',
		help: 'Whether pods can be attached to the network (1) or not (0).',
		registers,
		collect() {
			this.set(present.networkReady() ? 1 : 0);
		},
	});
}
