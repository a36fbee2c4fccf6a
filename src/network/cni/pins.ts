import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { changing } from '#base/fault-points.ts';
import { isId } from '#base/ids.ts';
import type { Launcher } from '#runtime';

/** The network namespaces of sandboxes as files, which is how plugins are told of them. The shim makes them. */
export class Pins {
	readonly #folder: string;
	readonly #launcher: Pick<Launcher, 'teardown'>;

	constructor(folder: string, launcher: Pick<Launcher, 'teardown'>) {
		this.#folder = folder;
		this.#launcher = launcher;
	}

	async makeFolder(): Promise<void> {
		await mkdir(this.#folder, { recursive: true, mode: 0o711 });
	}

	path(sandboxId: string): string {
		return join(this.#folder, sandboxId);
	}

	/** The sandboxes that have one. */
	async list(): Promise<string[]> {
		return (await readdir(this.#folder).catch((): string[] => [])).filter(isId);
	}

	/** Unmounts the namespace and removes its file; a missing one is fine. */
	async remove(sandboxId: string): Promise<void> {
		await changing('cni.pin', () =>
			this.#launcher.teardown([{ op: 'unmount', path: this.path(sandboxId), remove: 1 }]),
		);
	}
}
