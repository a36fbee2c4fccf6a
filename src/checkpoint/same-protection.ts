import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { failedPrecondition, invalidArgument, messageOf } from '#base/errors.ts';
import type { ContainerConfig } from '#cri-api';
import type { OciSpec } from '#runtime';
import { destinationOf } from '../container/image-volumes.ts';
import { readDocument } from './read-document.ts';

/** The OCI spec that the processes were made with, in the layout that all runtimes share. */
export const SPEC_FILE = 'spec.dump';

type Look = (spec: OciSpec) => unknown;
/** What the processes bring along, whatever the new spec says. */
const PROTECTION: Readonly<Record<string, Look>> = {
	'process.user': ({ process }) => process?.user,
	'process.capabilities': ({ process }) => process?.capabilities,
	'process.noNewPrivileges': ({ process }) => process?.noNewPrivileges,
	'process.apparmorProfile': ({ process }) => process?.apparmorProfile ?? 'unconfined',
	'process.selinuxLabel': ({ process }) => process?.selinuxLabel,
	'process.rlimits': ({ process }) => process?.rlimits,
	'linux.seccomp': ({ linux }) => linux?.seccomp,
};

/**
 * User, capabilities, filters and limits come back with the processes. FAILED_PRECONDITION naming the field when the
 * container is to have others than they have, for it would seem to have them. `folder`: of the saved container.
 */
export async function checkSameProtection(folder: string, spec: OciSpec): Promise<void> {
	const saved = await readSpec(join(folder, SPEC_FILE));
	const wanted: OciSpec = JSON.parse(JSON.stringify(spec));
	const unlike = Object.entries(PROTECTION).find(([, look]) => !isDeepStrictEqual(look(saved), look(wanted)));
	if (unlike !== undefined) throw differs(`${unlike[0]} of the OCI spec`);
}

/** The same for `privileged`, which the spec has in many places. */
export function checkSamePrivileged(saved: ContainerConfig, wanted: ContainerConfig): void {
	const isPrivileged = ({ linux }: ContainerConfig) => linux?.security_context?.privileged ?? false;
	if (isPrivileged(saved) !== isPrivileged(wanted)) throw differs('linux.security_context.privileged');
}

/**
 * A mount that the processes had not would not be there. FAILED_PRECONDITION; one that they had and that is missing is
 * told by the runtime. By the paths as they were asked for: what they lead to only the image knows.
 */
export function checkNoNewMounts(saved: ContainerConfig, wanted: ContainerConfig): void {
	const had = new Set(saved.mounts.map(destinationOf));
	const added = wanted.mounts.map(destinationOf).find((path) => !had.has(path));
	if (added !== undefined)
		throw failedPrecondition(
			`mounts: the saved processes have no mount at ${added}, and a restored container gets none that they had not`,
		);
}

const differs = (field: string) =>
	failedPrecondition(
		`${field} is not what the saved processes were made with, and they keep what they have: restore with the same`,
	);

async function readSpec(path: string): Promise<OciSpec> {
	try {
		const spec: unknown = JSON.parse(await readDocument(path));
		if (typeof spec === 'object' && spec !== null) return spec as OciSpec;
	} catch (error) {
		throw invalidArgument(`Cannot read ${path}: ${messageOf(error)}`, { cause: error });
	}
	throw invalidArgument(`${path} is no OCI spec`);
}
