/** Nanoseconds since 1970, as CRI tells times. */
export function nowNs(): bigint {
	return BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
}
