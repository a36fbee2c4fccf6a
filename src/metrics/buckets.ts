/** Bounds of histograms, in seconds. */

/** Of CRI calls and their stages: a list takes less than a millisecond, a pod some 20, a hanging plug-in a minute. */
export const CALL_SECONDS = [
	0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 240,
];
/** Of steps of a plan: most are one system call, a hook may take long. */
export const STEP_SECONDS = [
	0.000005, 0.00002, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1, 1, 10,
];
export const PULL_SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 180, 600];
