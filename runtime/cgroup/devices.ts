import { invalidArgument } from '#base/errors.ts';
import type { OciDeviceRule } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { deviceProgram } from './device-program.ts';
import { type CgroupLayout, cgroupFolder, controllerFolder } from './layout.ts';
import { unsupported } from './limit.ts';

/** A rule with everything said. undefined number: any. */
export interface DeviceRule {
	readonly allow: boolean;
	readonly type: 'a' | 'b' | 'c';
	readonly major: number | undefined;
	readonly minor: number | undefined;
	/** Some of r, w and m, in this order. */
	readonly access: string;
}

const character = (major: number, minor: number | undefined): DeviceRule => ({
	allow: true,
	type: 'c',
	major,
	minor,
	access: 'rwm',
});

/**
 * What every container may use whatever the list says, because the runtime itself supplies it: the default
 * devices, pseudo-terminals, and making (not opening) a node.
 */
const ALWAYS_ALLOWED: readonly DeviceRule[] = [
	{ allow: true, type: 'c', major: undefined, minor: undefined, access: 'm' },
	{ allow: true, type: 'b', major: undefined, minor: undefined, access: 'm' },
	...[3, 5, 7, 8, 9].map((minor) => character(1, minor)),
	...[0, 1, 2].map((minor) => character(5, minor)),
	character(136, undefined),
];

/** The device access list of a cgroup: v1 files, or a program on v2. No list: nothing is restricted. Pure. */
export function devicesOps(
	layout: CgroupLayout,
	cgroupsPath: string,
	rules: readonly OciDeviceRule[] | undefined,
): Op[] {
	if (rules === undefined || rules.length === 0) return [];
	const all = normalizeRules(rules);
	if (layout.version === 2) {
		const [hierarchy] = layout.hierarchies;
		if (hierarchy === undefined) return [];
		return [
			{ op: 'cgroup_devices', path: cgroupFolder(hierarchy, cgroupsPath), program: deviceProgram(all) },
		];
	}
	const folder = controllerFolder(layout, 'devices', cgroupsPath);
	if (folder === undefined)
		throw unsupported('devices', 'the cgroup controller devices is not available on this machine');
	return all.map((rule) => ({
		op: 'write_file',
		path: `${folder}/devices.${rule.allow ? 'allow' : 'deny'}`,
		value: v1Line(rule),
		flags: 0,
	}));
}

/** Completes the rules and adds what is always allowed, when anything is denied at all. */
export function normalizeRules(rules: readonly OciDeviceRule[]): DeviceRule[] {
	const all = rules.map(normalize);
	return all.some(({ allow }) => !allow) ? [...all, ...ALWAYS_ALLOWED] : all;
}

function normalize({ allow, type = 'a', major, minor, access }: OciDeviceRule, index: number): DeviceRule {
	const refuse = (why: string) => invalidArgument(`Invalid linux.resources.devices[${index}]: ${why}`);
	const any = (value: number | undefined) => (value === undefined || value === -1 ? undefined : value);
	const given = access === undefined || access === '' ? 'rwm' : access;
	if (!/^[rwm]+$/.test(given)) throw refuse(`access ${JSON.stringify(given)} is not made of r, w and m`);
	const rule = {
		allow,
		type,
		major: any(major),
		minor: any(minor),
		access: [...'rwm'].filter((one) => given.includes(one)).join(''),
	};
	if (type === 'a' && (rule.major !== undefined || rule.minor !== undefined || rule.access !== 'rwm')) {
		throw refuse('type a means every device and every access; name b or c to be more precise');
	}
	return rule;
}

const v1Line = ({ type, major, minor, access }: DeviceRule): string =>
	type === 'a' ? 'a' : `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`;
