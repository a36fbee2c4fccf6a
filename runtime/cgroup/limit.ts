import { failedPrecondition, type StatusError } from '#base/errors.ts';

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
