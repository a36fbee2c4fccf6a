/** A store of its own for one test, over a real launcher. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ImageStore, type ImageStoreOptions, openImageStore } from '../../images/index.ts';
import { type Launcher, nativeBinary, startLauncher } from '../../runtime/index.ts';
import { createLog } from '../../src/base/log.ts';

export interface TestStore extends AsyncDisposable {
	readonly store: ImageStore;
	readonly root: string;
	readonly launcher: Launcher;
	/** Log lines so far. */
	readonly lines: readonly string[];
	/** Closes the store and opens it again on the same folder. */
	reopen(): Promise<ImageStore>;
}

export async function openTestStore(options: Partial<ImageStoreOptions> = {}): Promise<TestStore> {
	const folder = await mkdtemp(join(tmpdir(), 'images-'));
	const lines: string[] = [];
	const log = createLog('warn', (line) => lines.push(line));
	const launcher = await startLauncher({ binary: nativeBinary('gantry-shim'), instance: 'imgtest', log });
	const root = options.root ?? join(folder, 'images');
	const open = () =>
		openImageStore({
			root,
			files: launcher,
			log,
			registriesConf: join(folder, 'registries.conf'),
			retryDelayMs: 20,
			stallTimeoutMs: 2000,
			workers: 2,
			...options,
		});
	let store = await open();
	return {
		get store() {
			return store;
		},
		root,
		launcher,
		lines,
		async reopen() {
			await store[Symbol.asyncDispose]();
			store = await open();
			return store;
		},
		async [Symbol.asyncDispose]() {
			await store[Symbol.asyncDispose]();
			await launcher.close();
			await rm(folder, { recursive: true, force: true });
		},
	};
}
