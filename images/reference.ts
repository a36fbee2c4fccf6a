import { invalidArgument } from '#base/errors.ts';
import { parseDigest } from './digest.ts';

/** A reference to an image in a registry, complete: `docker.io/library/busybox:latest`. */
export interface Reference {
	/** `docker.io`, `localhost:5000`. */
	readonly registry: string;
	/** `library/busybox`. */
	readonly repository: string;
	/** Unset only when there is a digest and no tag was written. */
	readonly tag?: string;
	readonly digest?: string;
}

const MAX_NAME = 255;
const MAX_REFERENCE = MAX_NAME + 1 + 128 + 1 + 7 + 1 + 128;

// The grammar of the distribution project's reference format.
const DOMAIN =
	/^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** Reads a reference as people write it; short names are completed to docker.io, a missing tag is `latest`. */
export function parseReference(text: string): Reference {
	const wrong = (why: string) =>
		invalidArgument(`Cannot read image reference "${text.slice(0, 300)}": ${why}`);
	if (text === '') throw invalidArgument('Cannot read image reference: it is empty');
	if (text.length > MAX_REFERENCE) throw wrong('it is too long');

	const at = text.indexOf('@');
	const digest = at === -1 ? undefined : text.slice(at + 1);
	if (digest !== undefined && parseDigest(digest) === undefined) {
		throw wrong('what follows "@" is no sha256 or sha512 digest');
	}
	const named = at === -1 ? text : text.slice(0, at);
	const colon = named.lastIndexOf(':');
	const hasTag = colon > named.lastIndexOf('/') && !(named.startsWith('[') && !named.includes('/'));
	const tag = hasTag ? named.slice(colon + 1) : undefined;
	if (tag !== undefined && !TAG.test(tag)) {
		throw wrong(
			`tag "${tag}" must be at most 128 letters, digits, "_", "." and "-", and not begin with "." or "-"`,
		);
	}

	const { registry, repository } = splitName(hasTag ? named.slice(0, colon) : named);
	if (!DOMAIN.test(registry)) throw wrong(`"${registry}" is no registry host`);
	for (const component of repository.split('/')) {
		if (!PATH_COMPONENT.test(component)) throw wrong(whyBadComponent(component));
	}
	if (registry.length + 1 + repository.length > MAX_NAME)
		throw wrong(`the name is longer than ${MAX_NAME} characters`);
	return {
		registry,
		repository,
		...(tag !== undefined ? { tag } : digest === undefined ? { tag: 'latest' } : {}),
		...(digest === undefined ? {} : { digest }),
	};
}

function splitName(name: string): { registry: string; repository: string } {
	const slash = name.indexOf('/');
	const first = name.slice(0, slash);
	const isHost =
		slash !== -1 && (/[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
	const registry = isHost ? first : 'docker.io';
	const repository = isHost ? name.slice(slash + 1) : name;
	if (registry !== 'docker.io' && registry !== 'index.docker.io') return { registry, repository };
	return {
		registry: 'docker.io',
		repository: repository.includes('/') ? repository : `library/${repository}`,
	};
}

function whyBadComponent(component: string): string {
	if (component === '') return 'a part of the name is empty';
	if (component.toLowerCase() !== component) return `"${component}" must be lower-case`;
	return `"${component}" must be lower-case letters and digits, parted by ".", "_", "__" or "-"`;
}

/** `docker.io/library/busybox`. */
export function nameOf(reference: Reference): string {
	return `${reference.registry}/${reference.repository}`;
}

/** The whole reference in canonical form. */
export function formatReference(reference: Reference): string {
	const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
	const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
	return `${nameOf(reference)}${tag}${digest}`;
}

/** `docker.io/library/busybox:1`, or undefined when the reference has no tag. */
export function tagNameOf(reference: Reference): string | undefined {
	return reference.tag === undefined ? undefined : `${nameOf(reference)}:${reference.tag}`;
}
