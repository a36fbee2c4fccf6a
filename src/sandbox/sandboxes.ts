import { join } from 'node:path';
import type { Log } from '#base/log.ts';
import { findById } from '../store/find-by-id.ts';
import { Names } from '../store/names.ts';
import { Records } from '../store/records.ts';
import { sandboxName } from './metadata.ts';
import { checkSandbox, sandboxShape } from './record.ts';
import { type ConnectShim, Shims } from './shims.ts';
import type { Sandbox, SandboxMetadata, SandboxStatus } from './types.ts';

export interface SandboxesOptions {
	/** The daemon's --state and --root. */
	readonly state: string;
	readonly root: string;
	readonly connectShim: ConnectShim;
	readonly log: Log;
}

/**
 * All sandboxes of this daemon. Reads are synchronous, from memory, without a lock. The lifecycle operations
 * (run, stop, remove) are functions of their own and use the mutators below.
 */
export class Sandboxes {
	readonly names = new Names('sandbox');
	readonly shims: Shims;
	readonly records: Records<Sandbox>;
	/** STATE/sandboxes. */
	readonly folder: string;
	/** ROOT/sandboxes: per sandbox the files that its containers may write to. */
	readonly filesFolder: string;
	/** Removals under way, so that a second one joins the first. */
	readonly removals = new Map<string, Promise<void>>();
	/** Stops under way, likewise. */
	readonly stops = new Map<string, Promise<void>>();
	/** Those that a checkpoint is being restored to: to the next daemon half of one is something to remove. */
	readonly filling = new Set<string>();
	/** Aborted when the daemon ends. */
	readonly closing = new AbortController();
	/** Those that are being made, and those that could not be taken back yet. */
	readonly unpublished = new Map<string, SandboxMetadata>();
	/** Those that an earlier daemon was making, filling or removing, by id: settled when it was tried to finish that. */
	readonly halfDone = new Map<string, PromiseWithResolvers<void>>();
	readonly #sandboxes = new Map<string, Sandbox>();

	constructor(options: SandboxesOptions) {
		this.folder = join(options.state, 'sandboxes');
		this.filesFolder = join(options.root, 'sandboxes');
		this.shims = new Shims(options.state, options.connectShim);
		this.records = new Records(this.folder, 'sandbox', sandboxShape, options.log, checkSandbox);
	}

	list(): readonly Sandbox[] {
		return [...this.#sandboxes.values()];
	}

	get(id: string): Sandbox | undefined {
		return this.#sandboxes.get(id);
	}

	/** By id or unique prefix. INVALID_ARGUMENT when the prefix is ambiguous. */
	find(idOrPrefix: string): Sandbox | undefined {
		return findById(this.#sandboxes, idOrPrefix, 'sandbox');
	}

	/**
	 * ROOT/sandboxes/ID: resolv.conf, hosts and hostname. Not on the tmpfs of the records, which a container that
	 * may write to them could fill.
	 */
	filesOf(id: string): string {
		return join(this.filesFolder, id);
	}

	/** Publishes a sandbox: from now on everyone sees it. */
	add(sandbox: Sandbox): void {
		this.unpublished.delete(sandbox.metadata.id);
		this.#sandboxes.set(sandbox.metadata.id, sandbox);
	}

	/** Replaces the status; unknown ids are left alone. Call `trySave` to make it survive a restart. */
	update(id: string, change: Partial<SandboxStatus>): Sandbox | undefined {
		const before = this.#sandboxes.get(id);
		if (before === undefined) return undefined;
		const after: Sandbox = { metadata: before.metadata, status: { ...before.status, ...change } };
		this.#sandboxes.set(id, after);
		return after;
	}

	/** Writes the record of what is published now. It is true even if it cannot be written: that is only logged. */
	trySave(id: string): void {
		const sandbox = this.#sandboxes.get(id);
		if (sandbox === undefined) return;
		this.records.trySave(id, this.phaseOf(id), sandbox);
	}

	/** Of one that is published. */
	phaseOf(id: string): 'made' | 'removing' {
		return this.removals.has(id) || this.filling.has(id) ? 'removing' : 'made';
	}

	/** Settles when all of this name that an earlier daemon left half made or half removed have been tried to be taken back. */
	async takenBack(name: string): Promise<void> {
		const same = [...this.halfDone].filter(([id]) => {
			const { metadata } = (this.unpublished.get(id) ?? this.get(id)?.metadata)?.config ?? {};
			return metadata && sandboxName(metadata) === name;
		});
		await Promise.all(same.map(([, { promise }]) => promise));
	}

	/** Lets go of the shims, which live on; nothing is tried again. */
	close(): void {
		this.closing.abort();
		this.shims.disconnectAll();
	}

	/** Forgets the sandbox. */
	delete(id: string): void {
		this.unpublished.delete(id);
		this.#sandboxes.delete(id);
	}
}
