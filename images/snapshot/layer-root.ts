import { chmod, mkdir } from 'node:fs/promises';
import { fromSystemError } from '#base/errors.ts';

/** Makes the empty folder that a layer is unpacked into. */
export async function makeLayerRoot(path: string): Promise<void> {
	try {
		await mkdir(path, { recursive: true, mode: 0o700 });
		// The mode given to mkdir is cut by the umask; the root of a container must be open to all.
		await chmod(path, 0o755);
	} catch (error) {
		throw fromSystemError(`Cannot make the folder ${path}`, error);
	}
}
