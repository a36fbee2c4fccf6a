import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, unavailable } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { Launcher } from '#runtime';

export interface LauncherKeeperOptions {
	/** Starts a launcher and gives it what it must hold: locks and its cgroup. */
	readonly start: () => Promise<Launcher>;
	readonly log: Log;
	/** Wait before a start is tried again. Default 1 s. */
	readonly retryMs?: number;
}

/**
 * A launcher that is started again when it dies. Calls that are under way then fail; later ones wait for the new
 * one. Shims are not its matter: they live on.
 */
export class LauncherKeeper implements Launcher {
	/** Called after every start but the first. */
	onRestart: () => void = () => {};
	readonly #options: LauncherKeeperOptions;
	readonly #closing = new AbortController();
	readonly #ended = Promise.withResolvers<string>();
	#current: Promise<Launcher>;
	#alive: Launcher | undefined;

	private constructor(options: LauncherKeeperOptions, first: Launcher) {
		this.#options = options;
		this.#current = Promise.resolve(first);
		this.#watch(first);
	}

	/** Fails when the first start does. */
	static async start(options: LauncherKeeperOptions): Promise<LauncherKeeper> {
		return new LauncherKeeper(options, await options.start());
	}

	/** False between the death of a launcher and its successor's start. */
	get isAlive(): boolean {
		return this.#alive !== undefined;
	}

	/** 0 while there is none. */
	get pid(): number {
		return this.#alive?.pid ?? 0;
	}

	/** Settles only after `close`. */
	get ended(): Promise<string> {
		return this.#ended.promise;
	}

	startShim: Launcher['startShim'] = async (...args) => (await this.#current).startShim(...args);
	run: Launcher['run'] = async (...args) => (await this.#current).run(...args);
	compileSeccomp: Launcher['compileSeccomp'] = async (...args) =>
		(await this.#current).compileSeccomp(...args);
	applyNetwork: Launcher['applyNetwork'] = async (...args) => (await this.#current).applyNetwork(...args);
	applyFiles: Launcher['applyFiles'] = async (...args) => (await this.#current).applyFiles(...args);
	removeTree: Launcher['removeTree'] = async (...args) => (await this.#current).removeTree(...args);
	treeUsage: Launcher['treeUsage'] = async (...args) => (await this.#current).treeUsage(...args);
	syncFileSystem: Launcher['syncFileSystem'] = async (...args) =>
		(await this.#current).syncFileSystem(...args);
	lockFile: Launcher['lockFile'] = async (...args) => (await this.#current).lockFile(...args);
	teardown: Launcher['teardown'] = async (...args) => (await this.#current).teardown(...args);
	enterCgroups: Launcher['enterCgroups'] = async (...args) => (await this.#current).enterCgroups(...args);

	async close(): Promise<void> {
		this.#closing.abort();
		const launcher = await this.#current.catch(() => undefined);
		await launcher?.close();
		this.#ended.resolve('it was closed');
	}

	#watch(launcher: Launcher): void {
		this.#alive = launcher;
		void launcher.ended.then((reason) => {
			this.#alive = undefined;
			if (this.#closing.signal.aborted) return;
			this.#options.log.error('The launcher is gone and is started again', { pid: launcher.pid, reason });
			this.#current = this.#restart();
			this.#current.catch(() => {});
		});
	}

	async #restart(): Promise<Launcher> {
		for (;;) {
			try {
				const launcher = await this.#options.start();
				this.#watch(launcher);
				this.#options.log.info('The launcher runs again', { pid: launcher.pid });
				this.onRestart();
				return launcher;
			} catch (error) {
				this.#options.log.error('Cannot start the launcher again', { error: messageOf(error) });
			}
			await this.#pause();
		}
	}

	async #pause(): Promise<void> {
		try {
			await sleep(this.#options.retryMs ?? 1000, undefined, { signal: this.#closing.signal });
		} catch {
			throw unavailable('The launcher is gone and the daemon stops');
		}
	}
}
