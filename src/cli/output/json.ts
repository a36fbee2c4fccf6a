/** Two-space JSON with a newline. Bytes become text, 64-bit numbers decimal text. */
export function json(value: unknown): string {
	return `${JSON.stringify(value, plain, 2)}\n`;
}

function plain(_key: string, value: unknown): unknown {
	if (typeof value === 'bigint') return value.toString();
	if (value instanceof Uint8Array) return Buffer.from(value).toString();
	// A Buffer meets its toJSON before the replacer sees it.
	if (isBufferJson(value)) return Buffer.from(value.data).toString();
	return value;
}

function isBufferJson(value: unknown): value is { type: 'Buffer'; data: number[] } {
	return (
		typeof value === 'object' &&
		value !== null &&
		(value as { type?: unknown }).type === 'Buffer' &&
		Array.isArray((value as { data?: unknown }).data)
	);
}
