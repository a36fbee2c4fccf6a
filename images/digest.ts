import { createHash, type Hash } from 'node:crypto';
import { invalidArgument } from '#base/errors.ts';

/** Hexadecimal digits of each algorithm that the image-spec registers and we accept. */
const HEX_LENGTHS = { sha256: 64, sha512: 128 } as const;
type Algorithm = keyof typeof HEX_LENGTHS;

export interface Digest {
	readonly algorithm: Algorithm;
	readonly hex: string;
}

/** Reads `sha256:…` or `sha512:…`; undefined for anything else. */
export function parseDigest(text: string): Digest | undefined {
	const [algorithm, hex, rest] = text.split(':', 3);
	if (algorithm === undefined || hex === undefined || rest !== undefined) return undefined;
	if (!Object.hasOwn(HEX_LENGTHS, algorithm) || !/^[0-9a-f]+$/.test(hex)) return undefined;
	const known = algorithm as Algorithm;
	return hex.length === HEX_LENGTHS[known] ? { algorithm: known, hex } : undefined;
}

/** As parseDigest; INVALID_ARGUMENT naming `where` when it is none. */
export function requireDigest(text: string, where: string): Digest {
	const digest = parseDigest(text);
	if (digest === undefined) {
		throw invalidArgument(`Cannot read ${where}: "${text.slice(0, 160)}" is no sha256 or sha512 digest`);
	}
	return digest;
}

/** A running hash of the algorithm that the digest names. */
export function hasherFor(digest: string): Hash {
	return createHash(requireDigest(digest, 'a digest').algorithm);
}

/** `sha256:…` of these bytes. */
export function sha256Of(bytes: Uint8Array | string): string {
	return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Whether the bytes are what the digest says. */
export function matchesDigest(bytes: Uint8Array, digest: string): boolean {
	const { algorithm, hex } = requireDigest(digest, 'a digest');
	return createHash(algorithm).update(bytes).digest('hex') === hex;
}

/** Chain ids of layers, lowest first (image-spec config.md, Layer ChainID). */
export function chainIdsOf(diffIds: readonly string[]): string[] {
	const chain: string[] = [];
	for (const diffId of diffIds) {
		const parent = chain.at(-1);
		chain.push(parent === undefined ? diffId : sha256Of(`${parent} ${diffId}`));
	}
	return chain;
}
