/** The `info` of a verbose status: one JSON text under the key that crictl shows. */
export function verboseInfo(info: object): Record<string, string> {
	return { info: JSON.stringify(info, plainValue) };
}

/** JSON has no bigint, and bytes (values of environment variables) are text for people. */
function plainValue(this: unknown, key: string, value: unknown): unknown {
	const raw = key === '' ? value : (this as Record<string, unknown>)[key];
	if (typeof raw === 'bigint') return raw.toString();
	if (raw instanceof Uint8Array) return Buffer.from(raw).toString('utf8');
	return value;
}
