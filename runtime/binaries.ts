import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The programs that `make -C runtime/native` builds. */
export type NativeBinary = 'gantry-shim' | 'gantry-hook' | 'pause';

/**
 * Absolute path of one of our programs: in `folder` (the configuration), else in the folder that GANTRY_NATIVE_DIR
 * names (a sanitizer build), else where the Makefile puts it.
 */
export function nativeBinary(
	name: NativeBinary,
	folder: string | undefined = process.env.GANTRY_NATIVE_DIR,
): string {
	const chosen = folder || fileURLToPath(new URL('./native/build', import.meta.url));
	return join(isAbsolute(chosen) ? chosen : resolve(chosen), name);
}
