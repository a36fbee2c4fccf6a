import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '#base/atomic-file.ts';
import { dataLoss, errnoOf, fromSystemError, messageOf } from '#base/errors.ts';
import type { OciSpec } from './oci/spec.ts';
import { validateSpec } from './oci/validate.ts';
import { encodePlan, type Op } from './shim/codec.ts';

/**
 * The bundle of a container. Written before the shim is asked for anything, so whatever exists on the machine can be
 * taken back, however we end. Two processes never write one bundle. The teardown plan is there whole or not at all:
 * half of it could not be carried out, and the container not be removed.
 *
 *   config.json     the OCI spec
 *   teardown.json   the plan of delete, used by the shim, by rollback and by recovery when the shim is dead
 *   plan.txt        the launch plan, with times, for people; written a moment after the answer
 */
export function writeBundle(bundle: string, id: string, spec: OciSpec, teardown: readonly Op[]): void {
	try {
		mkdirSync(bundle, { recursive: true, mode: 0o700 });
		replaceFile(join(bundle, 'teardown.json'), JSON.stringify({ id, plan: teardown }));
		writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
	} catch (error) {
		throw fromSystemError(`Cannot write the bundle ${bundle}`, error);
	}
}

/** The spec of a bundle; undefined when there is none. DATA_LOSS when it cannot be understood. */
export async function readSpec(bundle: string): Promise<OciSpec | undefined> {
	const path = join(bundle, 'config.json');
	const value = readJson(path);
	if (value === undefined) return undefined;
	try {
		validateSpec(value);
		return value;
	} catch (error) {
		// It was valid when it was written.
		throw dataLoss(`${path} is no spec of ours: ${messageOf(error)}`, { cause: error });
	}
}

/**
 * The teardown plan in a bundle of container `id`; undefined when there is none. DATA_LOSS when it cannot be
 * understood or is that of another container, to which it would be the end.
 */
export async function readTeardown(bundle: string, id: string): Promise<Op[] | undefined> {
	const path = join(bundle, 'teardown.json');
	const value = readJson(path);
	if (value === undefined) return undefined;
	const { id: owner, plan } = (value ?? {}) as { readonly id?: unknown; readonly plan?: unknown };
	if (owner !== id) throw dataLoss(`${path} is no teardown plan of ${id}`);
	try {
		encodePlan(plan as Op[]);
		return plan as Op[];
	} catch (error) {
		throw dataLoss(`${path} is no teardown plan: ${messageOf(error)}`, { cause: error });
	}
}

function readJson(path: string): unknown {
	try {
		return JSON.parse(readFileSync(path, 'utf8'));
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return undefined;
		if (error instanceof SyntaxError)
			throw dataLoss(`${path} is no JSON: ${error.message}`, { cause: error });
		throw fromSystemError(`Cannot read ${path}`, error);
	}
}
