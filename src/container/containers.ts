import { join } from 'node:path';
import { KeyedLock } from '#base/keyed-lock.ts';
import type { Log } from '#base/log.ts';
import { CdiSpecs } from '../cdi/specs.ts';
import type { HostFacts } from '../spec/host-facts.ts';
import { findById } from '../store/find-by-id.ts';
import { Names } from '../store/names.ts';
import { Records } from '../store/records.ts';
import { ImageTrees } from './image-tree.ts';
import { checkContainer, containerShape } from './record.ts';
import { StopDeadlines } from './stop-deadlines.ts';
import type { Container, ContainerStatus } from './types.ts';
import { WithheldCapabilities } from './withheld.ts';

export interface ContainersOptions {
	/** The daemon's --state and --root. */
	readonly state: string;
	readonly root: string;
	/** What the kernel of this machine offers; read once. */
	readonly host: HostFacts;
	readonly log: Log;
}

/** From the return of a call's handler until its answer has left the process, with much to spare. */
const ANSWER_TRAVELS_MS = 1000;

/**
 * All containers of this daemon (sandboxes are not among them). Reads are synchronous, from memory, without a
 * lock. The lifecycle operations are functions of their own and use the mutators below.
 */
export class Containers {
	readonly names = new Names('container');
	/** Held for the short changes of one container; never across a wait for its end. */
	readonly locks = new KeyedLock();
	readonly stops = new StopDeadlines();
	readonly records: Records<Container>;
	readonly host: HostFacts;
	readonly withheld: WithheldCapabilities;
	readonly imageTrees = new ImageTrees();
	readonly cdi = new CdiSpecs();
	/** STATE/containers. */
	readonly folder: string;
	/** Containers that an earlier daemon started, perhaps without living to say so: StartContainer succeeds once more. */
	readonly startsUntold = new Set<string>();
	/** When this daemon answered StartContainer, by container; milliseconds as performance.now() counts them. */
	readonly #startsAnswered = new Map<string, number>();
	/** Containers being made, by sandbox: its removal waits for them. */
	readonly making = new Map<string, Set<Promise<unknown>>>();
	/** Containers of which a checkpoint is under way, by id. */
	readonly checkpointing = new Set<string>();
	/** Removals under way, so that a second one joins the first. */
	readonly removals = new Map<string, Promise<void>>();
	/** What removed containers wrote, leaving the disk. */
	readonly discards = new Set<Promise<void>>();
	readonly #root: string;
	readonly #containers = new Map<string, Container>();
	readonly #exits = new Map<string, PromiseWithResolvers<void>>();

	constructor(options: ContainersOptions) {
		this.folder = join(options.state, 'containers');
		this.#root = options.root;
		this.host = options.host;
		this.withheld = new WithheldCapabilities(options.log);
		this.records = new Records(this.folder, 'container', containerShape, options.log, checkContainer);
	}

	list(): readonly Container[] {
		return [...this.#containers.values()];
	}

	get(id: string): Container | undefined {
		return this.#containers.get(id);
	}

	/** By id or unique prefix. INVALID_ARGUMENT when the prefix is ambiguous. */
	find(idOrPrefix: string): Container | undefined {
		return findById(this.#containers, idOrPrefix, 'container');
	}

	/** The containers of one sandbox, in the order of their creation. */
	ofSandbox(sandboxId: string): readonly Container[] {
		return this.list().filter((container) => container.metadata.sandboxId === sandboxId);
	}

	/** ROOT/containers: one folder per container, with `upper`, `work` and `volumes`. */
	get layersFolder(): string {
		return join(this.#root, 'containers');
	}

	/** ROOT/containers/ID: what the container wrote (`upper` is its writable layer) and its volumes. */
	layerFolder(id: string): string {
		return join(this.layersFolder, id);
	}

	/** Publishes a container: from now on everyone sees it. */
	add(container: Container): void {
		this.#containers.set(container.metadata.id, container);
	}

	/** Replaces the status; unknown ids are left alone. Call `trySave` to make it survive a restart. */
	update(id: string, change: Partial<ContainerStatus>): Container | undefined {
		const before = this.#containers.get(id);
		if (before === undefined) return undefined;
		const after: Container = { metadata: before.metadata, status: { ...before.status, ...change } };
		this.#containers.set(id, after);
		if (after.status.finishedAtNs !== undefined) this.#settle(id);
		return after;
	}

	/** Writes the record of what is published now. It is true even if it cannot be written: that is only logged. */
	trySave(id: string): void {
		const container = this.#containers.get(id);
		if (container === undefined) return;
		this.records.trySave(id, container.status.removing ? 'removing' : 'made', container);
	}

	/** Forgets the container. */
	delete(id: string): void {
		this.#containers.delete(id);
		this.startsUntold.delete(id);
		this.#startsAnswered.delete(id);
		this.#settle(id);
	}

	startAnswered(id: string): void {
		this.startsUntold.delete(id);
		this.#startsAnswered.set(id, performance.now());
	}

	/** Whether an answer to StartContainer has had the time to reach who asked, should this daemon be killed now. */
	isStartTold(id: string): boolean {
		const answeredMs = this.#startsAnswered.get(id);
		return answeredMs !== undefined && performance.now() - answeredMs > ANSWER_TRAVELS_MS;
	}

	/** Settles when the container has ended (its status says so) or is gone. */
	exited(id: string): Promise<void> {
		const container = this.#containers.get(id);
		if (container === undefined || container.status.finishedAtNs !== undefined) return Promise.resolve();
		const waiting = this.#exits.get(id) ?? Promise.withResolvers<void>();
		this.#exits.set(id, waiting);
		return waiting.promise;
	}

	#settle(id: string): void {
		this.#exits.get(id)?.resolve();
		this.#exits.delete(id);
	}
}
