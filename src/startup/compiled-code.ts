/** Compiled JavaScript of the daemon, kept on disk: a start takes a third of the processor time. */
import { mkdirSync, statSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';

/** The folder in ROOT. */
export const COMPILED = 'compiled';

/**
 * Uses what an earlier start of the same program has kept in ROOT/compiled. Not Node's default folder: that is below
 * /tmp, where others could leave code for us to run; nor a root that others may look into, which may not be ours. A
 * folder that cannot be used costs only the time.
 */
export function useCompiledCode(root: string): void {
	try {
		mkdirSync(root, { recursive: true, mode: 0o700 });
		const { mode, uid } = statSync(root);
		if ((mode & 0o077) !== 0 || uid !== process.getuid?.()) return;
		enableCompileCache(join(root, COMPILED));
	} catch {
		// The checks that follow say what is wrong with the folder.
	}
}

/** Keeps what was compiled so far for the next start. At once, because a daemon may be killed. */
export function keepCompiledCode(): void {
	flushCompileCache();
}
