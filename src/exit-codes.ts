/**
 * Exit codes of `gantryd` and `gantry`: what scripts and service managers may rely on. 78 is EX_CONFIG of sysexits.h: the
 * configuration or the data is not for this program, so that starting it again cannot help.
 */
export const EXIT = { ok: 0, failure: 1, usage: 2, notFound: 3, unavailable: 4, config: 78 } as const;
