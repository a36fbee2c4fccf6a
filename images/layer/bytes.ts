import { Buffer } from 'node:buffer';

/**
 * Names in a tar are bytes, not text. In memory they are strings with one character per byte ("latin1"), so that
 * maps and comparisons work on them and nothing is lost on the way to the file system.
 */
export type ByteString = string;

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
const ASCII = /^[\x00-\x7f]*$/;

/** The form that file system calls take. */
export function toPath(name: ByteString): string | Buffer {
	return ASCII.test(name) ? name : Buffer.from(name, 'latin1');
}

/** As text; undefined when the bytes are no UTF-8. */
export function toText(name: ByteString): string | undefined {
	if (ASCII.test(name)) return name;
	const text = Buffer.from(name, 'latin1').toString('utf8');
	return Buffer.from(text, 'utf8').toString('latin1') === name ? text : undefined;
}

/** For messages: readable whatever it holds, at most 200 characters. */
export function show(name: ByteString): string {
	return JSON.stringify((toText(name) ?? name).slice(0, 200));
}
