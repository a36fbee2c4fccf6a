import { join } from 'node:path';
import { restoreArguments } from '../criu/arguments.ts';
import { CRIU_ENV } from '../criu/criu.ts';
import type { OciSpec } from '../oci/spec.ts';
import { rootPath } from '../plan/context.ts';
import { ProtocolError } from '../shim/errors.ts';
import type { CreateOptions } from '../types.ts';
import { criuFailure } from './checkpoint.ts';

/** The file in which CRIU tells the shim of its work. */
const PID_FILE = 'restored.pid';
/** Where the mounts are handed over, in the bundle. */
const MOUNTS = 'mounts';

/** The last operation of a plan that restores. Its log is in the bundle. */
export function restoreOp(
	spec: OciSpec,
	bundle: string,
	{ criu, folder, surroundings }: NonNullable<CreateOptions['restore']>,
) {
	const pidFile = join(bundle, PID_FILE);
	const mounts = join(bundle, MOUNTS);
	const argv = restoreArguments({
		criu,
		images: join(folder, 'checkpoint'),
		work: bundle,
		pidFile,
		root: rootPath(spec, bundle),
		mounts,
		surroundings,
	});
	return {
		op: 'restore',
		argv,
		env: CRIU_ENV,
		pid_file: pidFile,
		mounts: surroundings.mounts,
		folder: mounts,
		root_readonly: spec.root.readonly ? 1 : 0,
	} as const;
}

/** What CRIU failed with, when it was its failure. `what` follows "Cannot". */
export async function restoreError(what: string, bundle: string, error: unknown): Promise<Error | undefined> {
	if (!(error instanceof ProtocolError) || error.op !== 'restore' || error.errno !== 'ECANCELED')
		return undefined;
	return await criuFailure(what, join(bundle, 'restore.log'), error.detail);
}
