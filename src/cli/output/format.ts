/** Numbers as people read them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `0 B`, `512 B`, `1.5 KiB`, `240 MiB`. */
export function bytes(count: number | bigint | string): string {
	let value = Number(count);
	let unit = 0;
	while (value >= 1024 && unit < UNITS.length - 1) {
		value /= 1024;
		unit++;
	}
	const digits = unit === 0 || value >= 100 ? 0 : 1;
	return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** How long ago (nanoseconds since 1970): `4s`, `12m`, `3h`, `9d`; `-` when it never happened. */
export function age(atNs: bigint | string, nowMs = Date.now()): string {
	const at = Number(BigInt(atNs) / 1_000_000n);
	if (at <= 0) return '-';
	const seconds = Math.max(0, Math.floor((nowMs - at) / 1000));
	if (seconds < 120) return `${seconds}s`;
	if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
	if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
	return `${Math.floor(seconds / 86_400)}d`;
}

/** `350 µs`, `1.2 ms`, `48 ms`, `2.1 s`. */
export function duration(us: number): string {
	if (us < 1000) return `${Math.round(us)} µs`;
	if (us < 10_000) return `${(us / 1000).toFixed(1)} ms`;
	if (us < 1_000_000) return `${Math.round(us / 1000)} ms`;
	return `${(us / 1_000_000).toFixed(1)} s`;
}

/** The first 13 digits of an id, also of `sha256:…`. */
export function short(id: string): string {
	return id.replace(/^sha256:/, '').slice(0, 13);
}
