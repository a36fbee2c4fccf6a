import { failedPrecondition, type StatusError } from '#base/errors.ts';
import type { OciResources } from '../oci/spec.ts';

/** A limit before its folder is known. `resource` is the field of the OCI resources, for messages. */
export interface Limit {
	readonly controller: string;
	readonly file: string;
	readonly value: string;
	readonly resource: string;
	readonly optional?: boolean;
}

/** A limit that this machine cannot keep. */
export function unsupported(resource: string, why: string): StatusError {
	return failedPrecondition(`Cannot limit ${resource}: ${why}`);
}

/** As every runtime does, 0 and less mean no limit: a cgroup that may hold no process is of no use. */
export function pidsLimit(limits: OciResources['pids']): Limit[] {
	if (limits === undefined) return [];
	const value = limits.limit > 0 ? String(limits.limit) : 'max';
	return [{ controller: 'pids', file: 'pids.max', value, resource: 'pids.limit', optional: value === 'max' }];
}
