import { invalidArgument } from '#base/errors.ts';

/**
 * The object whose id is `idOrPrefix` or begins with it, as people type ids. Undefined when there is none.
 *
 * @throws INVALID_ARGUMENT when several begin with it.
 */
export function findById<T>(
	objects: ReadonlyMap<string, T>,
	idOrPrefix: string,
	kind: string,
): T | undefined {
	const exact = objects.get(idOrPrefix);
	if (exact !== undefined || idOrPrefix === '') return exact;
	let found: T | undefined;
	for (const [id, object] of objects) {
		if (!id.startsWith(idOrPrefix)) continue;
		if (found !== undefined) {
			throw invalidArgument(
				`${kind} id ${idOrPrefix} is ambiguous: several ${kind}s begin with it; give more digits`,
			);
		}
		found = object;
	}
	return found;
}
