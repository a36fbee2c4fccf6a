import { invalidArgument, messageOf } from '#base/errors.ts';
import {
	array,
	type Check,
	exactInteger,
	object,
	optional,
	refuseUnless,
	string,
	u32,
} from '../oci/shape.ts';
import type { OciSeccomp } from '../oci/spec.ts';

/** What decides which conditional entries of a profile hold for a container. */
export interface ProfileConditions {
	/** The container's bounding set, as `CAP_…`. */
	readonly capabilities: readonly string[];
	/** As Node names it: `x64`, `arm64`, … */
	readonly arch: string;
	/** Release of the running kernel: `6.1.0-13-amd64`. */
	readonly kernel: string;
}

interface Condition {
	readonly arches?: readonly string[];
	readonly caps?: readonly string[];
	readonly minKernel?: string;
}
type Syscall = NonNullable<OciSeccomp['syscalls']>[number];
type ProfileSyscall = Omit<Syscall, 'names'> & {
	readonly names?: readonly string[];
	readonly name?: string;
	readonly comment?: string;
	readonly errno?: string;
	readonly includes?: Condition;
	readonly excludes?: Condition;
};
interface Profile extends Omit<OciSeccomp, 'syscalls'> {
	readonly defaultErrno?: string;
	readonly archMap?: readonly {
		readonly architecture: string;
		readonly subArchitectures?: readonly string[] | null;
	}[];
	readonly syscalls?: readonly ProfileSyscall[];
}

/** Node's names of processors, as profiles (SCMP_ARCH_…) and as their conditions (Go's names) have them. */
const PROCESSORS: Readonly<Record<string, { scmp: string; go: string }>> = {
	x64: { scmp: 'SCMP_ARCH_X86_64', go: 'amd64' },
	arm64: { scmp: 'SCMP_ARCH_AARCH64', go: 'arm64' },
	arm: { scmp: 'SCMP_ARCH_ARM', go: 'arm' },
	ia32: { scmp: 'SCMP_ARCH_X86', go: '386' },
	ppc64: { scmp: 'SCMP_ARCH_PPC64LE', go: 'ppc64le' },
	s390x: { scmp: 'SCMP_ARCH_S390X', go: 's390x' },
	riscv64: { scmp: 'SCMP_ARCH_RISCV64', go: 'riscv64' },
	loong64: { scmp: 'SCMP_ARCH_LOONGARCH64', go: 'loong64' },
};

/**
 * Reads a profile as users write them: plain OCI, or with `archMap` and entries that hold only with certain
 * capabilities, processors or kernels (the form of Docker and of containers/common). The result is plain OCI for one
 * container. INVALID_ARGUMENT names the field that is not understood.
 */
export function loadSeccompProfile(json: string, conditions: ProfileConditions): OciSeccomp {
	const profile = parse(json);
	const { archMap, syscalls = [], architectures, defaultErrno: _name, ...rest } = profile;
	const arches = architectures ?? architecturesFor(archMap ?? [], conditions.arch);
	return {
		...rest,
		...(arches.length > 0 ? { architectures: arches } : {}),
		syscalls: syscalls.filter((entry) => holds(entry, conditions)).flatMap(plainRule),
	};
}

function parse(json: string): Profile {
	let value: unknown;
	try {
		value = JSON.parse(json);
	} catch (error) {
		throw invalidArgument(`Invalid seccomp profile: ${messageOf(error)}`, { cause: error });
	}
	refuseUnless(PROFILE, value, (path, why) =>
		invalidArgument(`Invalid seccomp profile: ${path || 'the whole'}: ${why}`),
	);
	return value as Profile;
}

/** The processor's own calls and those that it runs beside them (32 bit programs). */
function architecturesFor(map: NonNullable<Profile['archMap']>, arch: string): readonly string[] {
	const own = PROCESSORS[arch]?.scmp;
	const entry = map.find(({ architecture }) => architecture === own);
	return entry === undefined ? [] : [entry.architecture, ...(entry.subArchitectures ?? [])];
}

function holds({ includes, excludes }: ProfileSyscall, conditions: ProfileConditions): boolean {
	return includesAll(includes ?? {}, conditions) && !excludesAny(excludes ?? {}, conditions);
}

function includesAll(
	{ arches, caps, minKernel }: Condition,
	{ capabilities, arch, kernel }: ProfileConditions,
): boolean {
	if (arches?.length && !arches.includes(PROCESSORS[arch]?.go ?? arch)) return false;
	if (caps?.length && !caps.every((capability) => capabilities.includes(capability))) return false;
	return minKernel === undefined || minKernel === '' || !isOlder(kernel, minKernel);
}

function excludesAny(
	{ arches, caps, minKernel }: Condition,
	{ capabilities, arch, kernel }: ProfileConditions,
): boolean {
	if (arches?.includes(PROCESSORS[arch]?.go ?? arch)) return true;
	if (caps?.some((capability) => capabilities.includes(capability))) return true;
	return minKernel !== undefined && minKernel !== '' && !isOlder(kernel, minKernel);
}

function isOlder(release: string, than: string): boolean {
	const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
	const [wantedMajor = 0, wantedMinor = 0] = than.split('.').map(Number);
	return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

function plainRule({
	name,
	names,
	comment: _,
	includes: _i,
	excludes: _e,
	errno: _n,
	...rule
}: ProfileSyscall): Syscall[] {
	const all = [...(names ?? []), ...(name === undefined ? [] : [name])];
	return all.length === 0 ? [] : [{ ...rule, names: all }];
}

const nullable =
	(check: Check): Check =>
	(value) =>
		value === null ? undefined : check(value);
const CONDITION = object<Condition>({
	arches: optional(array(string)),
	caps: optional(array(string)),
	minKernel: optional(string),
});
const ARG = object<NonNullable<Syscall['args']>[number]>({
	index: u32,
	value: exactInteger,
	valueTwo: optional(exactInteger),
	op: string,
});
const PROFILE = object<Profile>({
	defaultAction: string,
	defaultErrnoRet: optional(u32),
	defaultErrno: optional(string),
	architectures: optional(array(string)),
	archMap: optional(
		array(
			object<NonNullable<Profile['archMap']>[number]>({
				architecture: string,
				subArchitectures: optional(nullable(array(string))),
			}),
		),
	),
	flags: optional(array(string)),
	syscalls: optional(
		array(
			object<ProfileSyscall>({
				names: optional(array(string)),
				name: optional(string),
				action: string,
				errnoRet: optional(u32),
				errno: optional(string),
				args: optional(nullable(array(ARG))),
				comment: optional(string),
				includes: optional(CONDITION),
				excludes: optional(CONDITION),
			}),
		),
	),
});
