import { invalidArgument } from '#base/errors.ts';

/** A local port and the one within the pod that it leads to. Local 0: any free one. */
export interface ForwardRule {
	readonly local: number;
	readonly remote: number;
}

/** `8080:80`, `80` (both the same), `:80` (any free local one). @throws INVALID_ARGUMENT */
export function parseForwardRule(text: string): ForwardRule {
	const parts = /^(?:(\d*):)?(\d+)$/.exec(text);
	const remote = Number(parts?.[2]);
	const local = parts?.[1] === undefined ? remote : Number(parts[1]);
	if (parts === null || remote < 1 || remote > 65535 || local > 65535)
		throw invalidArgument(
			`"${text}" is no pair of ports; write [LOCAL:]REMOTE, for example 8080:80, or :80 for any free local port`,
		);
	return { local, remote };
}
