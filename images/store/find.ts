import { invalidArgument } from '#base/errors.ts';
import { nameOf, parseReference, tagNameOf } from '../reference.ts';

/** What names can be looked up in. */
export interface Names<T> {
	readonly byId: ReadonlyMap<string, T>;
	/** By canonical tag and by canonical digest name. */
	readonly byName: ReadonlyMap<string, T>;
}

/** Fewer digits say too little, even to a person. */
const MIN_ID_DIGITS = 3;

/**
 * Finds what a person or the kubelet means: an id (with or without `sha256:`), a tag, a digest (which beats a tag
 * written beside it), a short name, or the beginning of an id. A name comes before the beginning of an id.
 */
export function findImage<T>(reference: string, names: Names<T>): T | undefined {
	const hex = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(reference)?.[1];
	const whole = hex?.length === 64;
	if (whole) return names.byId.get(`sha256:${hex}`);
	return byName(reference, names) ?? (hex === undefined ? undefined : byPrefix(hex, names));
}

function byName<T>(text: string, names: Names<T>): T | undefined {
	const reference = parseReference(text);
	if (reference.digest !== undefined) return names.byName.get(`${nameOf(reference)}@${reference.digest}`);
	return names.byName.get(tagNameOf(reference) ?? '');
}

function byPrefix<T>(hex: string, { byId }: Names<T>): T | undefined {
	if (hex.length < MIN_ID_DIGITS) return undefined;
	const matching = [...byId].filter(([id]) => id.startsWith(`sha256:${hex}`));
	if (matching.length > 1) {
		throw invalidArgument(
			`"${hex}" is the beginning of several image ids: ${matching.map(([id]) => id.slice(7, 20)).join(', ')}`,
		);
	}
	return matching[0]?.[1];
}
