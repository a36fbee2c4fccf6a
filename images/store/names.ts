import { parseDigest } from '../digest.ts';
import { nameOf, parseReference } from '../reference.ts';
import type { ImageRecord } from './image-record.ts';

type NamesOf = Pick<ImageRecord, 'tags' | 'digests'>;

/** The names that are left when `reference` is taken away; undefined when the whole image was meant or nothing is left. */
export function namesWithout(names: NamesOf, reference: string): NamesOf | undefined {
	// The beginning of an id can look like a name. It is one only when the image has it.
	const taken = namesMeant(names, reference);
	if (taken === undefined) return undefined;
	const tags = names.tags.filter((tag) => !taken.tags.includes(tag));
	const repositories = new Set(tags.map(repositoryOf));
	// A repository's digests stay as long as one of its tags does, or as nobody spoke of that repository.
	const digests = names.digests.filter(
		(digest) => repositories.has(repositoryOf(digest)) || repositoryOf(digest) !== taken.repository,
	);
	return digests.length === 0 ? undefined : { tags, digests };
}

function namesMeant(
	names: NamesOf,
	text: string,
): { tags: readonly string[]; repository: string } | undefined {
	if (/^(?:sha256:)?[0-9a-f]{64}$/.test(text)) return undefined;
	const reference = parseReference(text);
	const repository = nameOf(reference);
	if (reference.digest !== undefined && parseDigest(reference.digest) !== undefined) {
		if (!names.digests.includes(`${repository}@${reference.digest}`)) return undefined;
		return { tags: names.tags.filter((tag) => repositoryOf(tag) === repository), repository };
	}
	const tag = `${repository}:${reference.tag}`;
	return names.tags.includes(tag) ? { tags: [tag], repository } : undefined;
}

function repositoryOf(name: string): string {
	return nameOf(parseReference(name));
}

/** The names of an image with one more pull of it, without doubles, the newest last. */
export function namesWith(names: NamesOf, tag: string | undefined, digests: readonly string[]): NamesOf {
	return {
		tags: [...new Set([...names.tags, ...(tag === undefined ? [] : [tag])])],
		digests: [...new Set([...names.digests, ...digests])],
	};
}
