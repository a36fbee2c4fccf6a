/** image-spec image-index.md, `platform`. */
export interface Platform {
	readonly os: string;
	readonly architecture: string;
	readonly variant?: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm: 'arm', ia32: '386' };
/** What an architecture is when no variant is written. */
const DEFAULT_VARIANTS: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };

/** The platform of this machine, in Go's words. */
export function hostPlatform(): Platform {
	return { os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch };
}

/** `linux/arm64/v8`. */
export function formatPlatform(platform: Platform): string {
	return [platform.os, platform.architecture, platform.variant]
		.filter((part) => part !== undefined && part !== '')
		.join('/');
}

/** Whether images for `offered` run on `wanted`, by the words alone; an empty word fits everything. */
export function fitsPlatform(offered: Platform, wanted: Platform): boolean {
	return fits(offered.os, wanted.os) && fits(offered.architecture, wanted.architecture);
}

const fits = (offered: string, wanted: string) => offered === '' || offered === wanted;

/**
 * The entry that fits best: the wanted variant first, then the closest lower one (it runs here for certain),
 * then the lowest higher one (the publisher offers nothing else).
 */
export function bestMatch<T extends { readonly platform?: Platform }>(
	entries: readonly T[],
	wanted: Platform,
): T | undefined {
	const want = level(wanted);
	const rank = (entry: T) => {
		const have = entry.platform === undefined ? want : level(entry.platform);
		return have <= want ? want - have : 1000 + have;
	};
	return entries
		.filter((entry) => entry.platform === undefined || fitsPlatform(entry.platform, wanted))
		.reduce<T | undefined>(
			(best, entry) => (best === undefined || rank(entry) < rank(best) ? entry : best),
			undefined,
		);
}

function level(platform: Platform): number {
	const variant =
		platform.variant === undefined || platform.variant === ''
			? DEFAULT_VARIANTS[platform.architecture]
			: platform.variant;
	const number = Number(/^v(\d+)/.exec(variant ?? '')?.[1] ?? 0);
	return Number.isFinite(number) ? Math.min(number, 100) : 0;
}
