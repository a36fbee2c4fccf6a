import { aborted, messageOf, StatusError } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { KeyedLock } from '#base/keyed-lock.ts';
import type { Log } from '#base/log.ts';
import type { Launcher } from '#runtime';
import { linkUp } from '../netlink/route.ts';
import type { AttachmentStore, StoredAttachment } from './attachments.ts';
import { addChain, checkChain, deleteChain } from './chain.ts';
import { atMost } from './patience.ts';
import { attempt, type PluginRunner } from './plugin.ts';
import { ipsOf } from './result.ts';
import { Retries } from './retries.ts';

const LOOPBACK_INDEX = 1;

export interface AttacherOptions {
	readonly runner: PluginRunner;
	readonly store: AttachmentStore;
	readonly launcher: Pick<Launcher, 'applyNetwork'>;
	readonly log: Log;
	/** How long a DEL may keep whoever removes a pod. */
	readonly patienceMs: number;
}

/** Brings sandboxes onto their networks and off them, one thing at a time for each. */
export class Attacher {
	readonly #options: AttacherOptions;
	readonly #locks = new KeyedLock();
	readonly #retries: Retries;
	readonly #attached = new Map<string, StoredAttachment>();
	/** What keeps the DEL of a sandbox from its end: it is the background's matter now. */
	readonly #unfinished = new Map<string, readonly string[]>();

	constructor(options: AttacherOptions) {
		this.#options = options;
		this.#retries = new Retries(options.log);
	}

	/** What is known of a sandbox, whether ADD has run or is still to come. */
	get(sandboxId: string): StoredAttachment | undefined {
		return this.#attached.get(sandboxId);
	}
	get all(): readonly StoredAttachment[] {
		return [...this.#attached.values()];
	}

	/** Takes note of a sandbox; nothing is done with it yet. */
	announce(attachment: StoredAttachment): void {
		this.#attached.set(attachment.sandboxId, attachment);
	}

	/** ADD of the chain; what a failed one has made is taken back at once. */
	attach(sandboxId: string): Promise<void> {
		return this.#locks.run(sandboxId, async () => {
			const attachment = this.#attached.get(sandboxId);
			if (attachment === undefined)
				throw aborted(`Sandbox ${sandboxId} was given up before it had a network`);
			const { store, launcher, runner } = this.#options;
			await changing('cni.store', () => store.write(attachment));
			try {
				await changing('cni.loopback', () =>
					launcher.applyNetwork(attachment.netns, [linkUp('pod', 'lo', LOOPBACK_INDEX)]),
				);
				const result = await changing('cni.add', () => addChain(runner, attachment));
				const attached = { ...attachment, result };
				this.#attached.set(sandboxId, attached);
				await changing('cni.store', () => store.write(attached));
				ipsOf(result);
			} catch (error) {
				const failures = await this.#detachLocked(sandboxId);
				if (failures.length > 0 && error instanceof StatusError)
					error.message += ` (clean-up: ${failures.join('; ')})`;
				throw error;
			}
		});
	}

	/**
	 * DEL of the chain if ADD was ever begun. One that fails is tried again in the background, one that is late goes
	 * on there; whoever asks again meanwhile is told so at once.
	 */
	async detach(sandboxId: string): Promise<readonly string[]> {
		const { patienceMs } = this.#options;
		const known = this.#unfinished.get(sandboxId);
		if (known !== undefined) return known;
		const work = this.#locks.run(sandboxId, () => this.#detachLocked(sandboxId));
		if (await atMost(patienceMs, work)) return await work;
		const late = [`CNI DEL is not done after ${patienceMs / 1000} s and goes on in the background`];
		this.#unfinished.set(sandboxId, late);
		return late;
	}

	/** Takes a living sandbox over from an earlier daemon, and has the plugins check it in the background. */
	async adopt(sandboxId: string): Promise<StoredAttachment | undefined> {
		const attachment = await this.#options.store.read(sandboxId);
		if (attachment === undefined) return undefined;
		this.announce(attachment);
		void checkChain(this.#options.runner, attachment).catch((error) =>
			this.#options.log.warn('CNI CHECK found a sandbox changed', {
				sandbox: sandboxId,
				error: messageOf(error),
			}),
		);
		return attachment;
	}

	close(): void {
		this.#retries.close();
	}

	async #detachLocked(sandboxId: string): Promise<string[]> {
		let stored: StoredAttachment | undefined;
		const unreadable = await attempt(async () => {
			stored = await this.#options.store.read(sandboxId);
		});
		this.#attached.delete(sandboxId);
		if (stored === undefined) {
			this.#unfinished.delete(sandboxId);
			return unreadable;
		}
		const failures = await this.#delete(stored);
		if (failures.length > 0) this.#deleteLater(stored);
		return failures;
	}

	async #delete(attachment: StoredAttachment): Promise<string[]> {
		const { sandboxId } = attachment;
		const failures = await changing('cni.delete', () => deleteChain(this.#options.runner, attachment));
		if (failures.length > 0) {
			this.#unfinished.set(sandboxId, failures);
			return failures;
		}
		this.#unfinished.delete(sandboxId);
		this.#retries.cancel(sandboxId);
		return attempt(() => changing('cni.forget', () => this.#options.store.remove(sandboxId)));
	}

	/** By then the namespace is gone: plugins must do with an empty CNI_NETNS, as the specification says. */
	#deleteLater(attachment: StoredAttachment): void {
		const { sandboxId } = attachment;
		this.#retries.schedule(sandboxId, () =>
			this.#locks.run(sandboxId, () => this.#delete({ ...attachment, netns: '' })),
		);
	}
}
