import { type With, withLinux } from './draft.ts';
import type { ContainerSpecInput } from './input.ts';

/** What an unprivileged process must not see of the kernel. */
export const MASKED_PATHS: readonly string[] = [
	'/proc/acpi',
	'/proc/asound',
	'/proc/interrupts',
	'/proc/kcore',
	'/proc/keys',
	'/proc/latency_stats',
	'/proc/sched_debug',
	'/proc/scsi',
	'/proc/timer_list',
	'/proc/timer_stats',
	'/sys/devices/virtual/powercap',
	'/sys/firmware',
];

/** What it must not change. */
export const READONLY_PATHS: readonly string[] = [
	'/proc/bus',
	'/proc/fs',
	'/proc/irq',
	'/proc/sys',
	'/proc/sysrq-trigger',
];

/**
 * Masked and read-only paths exactly as the request lists them: an empty list is how the kubelet says "unmasked".
 * A request without any security context gets the defaults.
 */
export const withHiddenPaths: With<ContainerSpecInput> = (spec, { security, privileged }) => {
	if (privileged) return withLinux(spec, { maskedPaths: [], readonlyPaths: [] });
	return withLinux(spec, {
		maskedPaths: security?.masked_paths ?? MASKED_PATHS,
		readonlyPaths: security?.readonly_paths ?? READONLY_PATHS,
	});
};
