import {
	andImmediate,
	assemble,
	exit,
	jumpIfEqual,
	jumpUnlessEqual,
	type Line,
	label,
	load32,
	move,
	moveImmediate,
	shiftRight,
} from './bpf.ts';
import type { DeviceRule } from './devices.ts';

/** BPF_DEVCG_DEV_* and BPF_DEVCG_ACC_*. */
const TYPE = { b: 1, c: 2 } as const;
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const ALL = 7;

/** Registers. R1 comes as struct bpf_cgroup_dev_ctx { access << 16 | type; major; minor }. */
const [R0, CONTEXT, DEVICE_TYPE, WANTED, MAJOR, MINOR, SCRATCH] = [0, 1, 2, 3, 4, 5, 6];

/**
 * A BPF_PROG_TYPE_CGROUP_DEVICE program that answers as v1's list does: the last rule that speaks about a request
 * decides, so the rules are asked from the last to the first. An allow rule must grant every access that is wanted,
 * a deny rule refuses when it covers one of them. What no rule speaks about is allowed, as in a fresh v1 cgroup.
 */
export function deviceProgram(rules: readonly DeviceRule[]): Buffer {
	const asked = deciding(rules).toReversed();
	return assemble([
		load32(DEVICE_TYPE, CONTEXT, 0),
		andImmediate(DEVICE_TYPE, 0xffff),
		load32(WANTED, CONTEXT, 0),
		shiftRight(WANTED, 16),
		load32(MAJOR, CONTEXT, 4),
		load32(MINOR, CONTEXT, 8),
		...asked.flatMap(ruleLines),
		...(asked.at(-1)?.type === 'a' ? [] : [moveImmediate(R0, 1), exit()]),
	]);
}

/** What stands before the last rule about every device can never decide, and the verifier refuses dead code. */
function deciding(rules: readonly DeviceRule[]): readonly DeviceRule[] {
	return rules.slice(
		Math.max(
			0,
			rules.findLastIndex(({ type }) => type === 'a'),
		),
	);
}

function ruleLines(rule: DeviceRule, index: number): Line[] {
	const next = `rule ${index + 1}`;
	const mask = [...rule.access].reduce((sum, one) => sum | (ACCESS[one] ?? 0), 0);
	return [
		...(rule.type === 'a' ? [] : [jumpUnlessEqual(DEVICE_TYPE, TYPE[rule.type], next)]),
		...(rule.major === undefined ? [] : [jumpUnlessEqual(MAJOR, rule.major, next)]),
		...(rule.minor === undefined ? [] : [jumpUnlessEqual(MINOR, rule.minor, next)]),
		...accessLines(rule.allow, mask, next),
		moveImmediate(R0, rule.allow ? 1 : 0),
		exit(),
		label(next),
	];
}

function accessLines(allow: boolean, mask: number, next: string): Line[] {
	if (mask === ALL) return [];
	const overlap = [move(SCRATCH, WANTED), andImmediate(SCRATCH, allow ? ALL & ~mask : mask)];
	return [...overlap, allow ? jumpUnlessEqual(SCRATCH, 0, next) : jumpIfEqual(SCRATCH, 0, next)];
}
