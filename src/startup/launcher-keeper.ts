import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
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
 * A launcher that is started again when it dies. Of the calls that are under way then, those that may be done twice
 * are tried once more with the new one, so that nothing that is being removed stays; the others fail. Later calls
 * wait for the new one. Shims are not its matter: they live on.
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
	compileSeccomp: Launcher['compileSeccomp'] = (...args) =>
		this.#twice((launcher) => launcher.compileSeccomp(...args));
	applyNetwork: Launcher['applyNetwork'] = async (...args) => (await this.#current).applyNetwork(...args);
	applyFiles: Launcher['applyFiles'] = async (...args) => (await this.#current).applyFiles(...args);
	removeTree: Launcher['removeTree'] = (...args) => this.#twice((launcher) => launcher.removeTree(...args));
	treeUsage: Launcher['treeUsage'] = (...args) => this.#twice((launcher) => launcher.treeUsage(...args));
	/** Once: the kernel tells of lost bytes only once, and it may have told the launcher that ended. */
	syncFileSystem: Launcher['syncFileSystem'] = async (...args) =>
		(await this.#current).syncFileSystem(...args);
	lockFile: Launcher['lockFile'] = async (...args) => (await this.#current).lockFile(...args);
	teardown: Launcher['teardown'] = (...args) => this.#twice((launcher) => launcher.teardown(...args));
	enterCgroups: Launcher['enterCgroups'] = async (...args) => (await this.#current).enterCgroups(...args);

	async close(): Promise<void> {
		this.#closing.abort();
		const launcher = await this.#current.catch(() => undefined);
		await launcher?.close();
		this.#ended.resolve('it was closed');
	}

	/** For what may be done twice. */
	async #twice<T>(call: (launcher: Launcher) => Promise<T>): Promise<T> {
		const launcher = await this.#current;
		try {
			return await call(launcher);
		} catch (error) {
			// The end of its connection fails the call first and is told to us a moment later.
			await setImmediate();
			if (this.#alive === launcher || this.#closing.signal.aborted) throw error;
			return await call(await this.#current);
		}
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
