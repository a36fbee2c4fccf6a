import type { ContainerEventType } from '#cri-api';

/** Something that happened to a container or (same id for both) a sandbox. */
export interface LifecycleEvent {
	readonly type: ContainerEventType;
	readonly sandboxId: string;
	/** Equal to sandboxId for the sandbox itself. */
	readonly containerId: string;
	readonly atNs: bigint;
}

/** Hands every event to everyone who listens, at once and in order. A listener must not block or throw. */
export class EventBus {
	readonly #listeners = new Set<(event: LifecycleEvent) => void>();

	publish(event: LifecycleEvent): void {
		for (const listener of this.#listeners) listener(event);
	}

	/** Returns the function that ends the subscription. */
	subscribe(listener: (event: LifecycleEvent) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}
}
