/** One challenge of a WWW-Authenticate header (RFC 9110, 11.6.1). Scheme and parameter names in lower case. */
export interface Challenge {
	readonly scheme: string;
	readonly parameters: Readonly<Record<string, string>>;
}

const SCHEME = /[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s+|\s*$|(?=\s*,))/y;
const PARAMETER = /[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/y;

/** Reads as many challenges as can be understood; none of what cannot. */
export function parseChallenges(header: string): Challenge[] {
	const challenges: Challenge[] = [];
	let at = 0;
	while (at < header.length) {
		SCHEME.lastIndex = at;
		const scheme = SCHEME.exec(header)?.[1];
		if (scheme === undefined) break;
		at = SCHEME.lastIndex;
		const parameters: Record<string, string> = {};
		for (;;) {
			PARAMETER.lastIndex = at;
			const match = PARAMETER.exec(header);
			if (match?.[1] === undefined) break;
			parameters[match[1].toLowerCase()] = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '';
			at = PARAMETER.lastIndex;
		}
		challenges.push({ scheme: scheme.toLowerCase(), parameters });
	}
	return challenges;
}
