import { invalidArgument } from '#base/errors.ts';
import type { PodSandboxMetadata } from '#cri-api';

/** The name under which a sandbox is reserved: `namespace/name/uid/attempt`. */
export function sandboxName({ namespace, name, uid, attempt }: PodSandboxMetadata): string {
	return `${namespace}/${name}/${uid}/${attempt}`;
}

/** INVALID_ARGUMENT unless the metadata can be a name. */
export function checkSandboxMetadata(metadata: PodSandboxMetadata | null | undefined): PodSandboxMetadata {
	if (metadata === null || metadata === undefined)
		throw invalidArgument('config.metadata is missing: a sandbox needs name, namespace and uid');
	checkName('config.metadata.name', metadata.name);
	checkName('config.metadata.namespace', metadata.namespace);
	checkName('config.metadata.uid', metadata.uid);
	return metadata;
}

/** Longest part of a name; the file systems' own limit. */
const MAX_BYTES = 255;

/** A part of a name: it appears in messages, logs and label values, so it is one plain word. */
export function checkName(field: string, value: string): void {
	if (value === '') throw invalidArgument(`${field} is empty`);
	const shown = JSON.stringify(value);
	if (Buffer.byteLength(value) > MAX_BYTES)
		throw invalidArgument(`${field} is longer than ${MAX_BYTES} bytes`);
	// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a name
	if (/[\u0000-\u001f\u007f]/.test(value))
		throw invalidArgument(`${field} ${shown} has a control character in it`);
	if (value.includes('/') || value === '.' || value === '..')
		throw invalidArgument(`${field} ${shown} has a slash in it or is a path`);
}
