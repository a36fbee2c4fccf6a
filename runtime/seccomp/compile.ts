import { invalidArgument, unimplemented } from '#base/errors.ts';
import type { OciSeccomp } from '../oci/spec.ts';
import type { Message, Struct } from '../shim/codec.ts';

const EPERM = 1;

/** SECCOMP_RET_* by the OCI action's name. */
const ACTIONS: Readonly<Record<string, number>> = {
	SCMP_ACT_KILL: 0x00000000,
	SCMP_ACT_KILL_THREAD: 0x00000000,
	SCMP_ACT_KILL_PROCESS: 0x80000000,
	SCMP_ACT_TRAP: 0x00030000,
	SCMP_ACT_ERRNO: 0x00050000,
	SCMP_ACT_TRACE: 0x7ff00000,
	SCMP_ACT_LOG: 0x7ffc0000,
	SCMP_ACT_ALLOW: 0x7fff0000,
};

/** SCMP_ARCH_* of libseccomp, which are the kernel's AUDIT_ARCH_* (but for X32). */
const ARCHITECTURES: Readonly<Record<string, number>> = {
	SCMP_ARCH_X86: 0x40000003,
	SCMP_ARCH_X86_64: 0xc000003e,
	SCMP_ARCH_X32: 0x4000003e,
	SCMP_ARCH_ARM: 0x40000028,
	SCMP_ARCH_AARCH64: 0xc00000b7,
	SCMP_ARCH_MIPS: 0x00000008,
	SCMP_ARCH_MIPS64: 0x80000008,
	SCMP_ARCH_MIPS64N32: 0xa0000008,
	SCMP_ARCH_MIPSEL: 0x40000008,
	SCMP_ARCH_MIPSEL64: 0xc0000008,
	SCMP_ARCH_MIPSEL64N32: 0xe0000008,
	SCMP_ARCH_PPC: 0x00000014,
	SCMP_ARCH_PPC64: 0x80000015,
	SCMP_ARCH_PPC64LE: 0xc0000015,
	SCMP_ARCH_S390: 0x00000016,
	SCMP_ARCH_S390X: 0x80000016,
	SCMP_ARCH_PARISC: 0x0000000f,
	SCMP_ARCH_PARISC64: 0x8000000f,
	SCMP_ARCH_RISCV64: 0xc00000f3,
	SCMP_ARCH_LOONGARCH64: 0xc0000102,
};

/** enum scmp_compare. MASKED_EQ: value is the mask, valueTwo what must remain. */
const COMPARISONS: Readonly<Record<string, number>> = {
	SCMP_CMP_NE: 1,
	SCMP_CMP_LT: 2,
	SCMP_CMP_LE: 3,
	SCMP_CMP_EQ: 4,
	SCMP_CMP_GE: 5,
	SCMP_CMP_GT: 6,
	SCMP_CMP_MASKED_EQ: 7,
};

const FLAGS: Readonly<Record<string, number>> = {
	SECCOMP_FILTER_FLAG_TSYNC: 1,
	SECCOMP_FILTER_FLAG_LOG: 2,
	SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

function lookUp(table: Readonly<Record<string, number>>, name: string, where: string): number {
	const value = table[name];
	if (value !== undefined && Object.hasOwn(table, name)) return value;
	if (name === 'SCMP_ACT_NOTIFY')
		throw unimplemented(`Seccomp profile: ${where}: SCMP_ACT_NOTIFY is not supported`);
	throw invalidArgument(
		`Invalid seccomp profile: ${where}: unknown ${JSON.stringify(name)}; one of ${Object.keys(table).join(', ')}`,
	);
}

/** The SECCOMP_FILTER_FLAG_* bits that the filter is installed with. */
export function filterFlags(names: readonly string[]): number {
	return names.reduce((sum, name, index) => sum | lookUp(FLAGS, name, `flags[${index}]`), 0);
}

/** An OCI profile in the form of the SECCOMP request. INVALID_ARGUMENT names the field that is not understood. */
export function seccompRequest(profile: OciSeccomp): Message<'SECCOMP'> {
	return {
		default_action: lookUp(ACTIONS, profile.defaultAction, 'defaultAction'),
		default_errno: profile.defaultErrnoRet ?? EPERM,
		arches: (profile.architectures ?? []).map((name, index) =>
			lookUp(ARCHITECTURES, name, `architectures[${index}]`),
		),
		rules: (profile.syscalls ?? []).map((rule, index) => lowerRule(rule, `syscalls[${index}]`)),
	};
}

function lowerRule(rule: NonNullable<OciSeccomp['syscalls']>[number], where: string): Struct<'seccomp_rule'> {
	if (rule.names.length === 0) throw invalidArgument(`Invalid seccomp profile: ${where}.names is empty`);
	return {
		action: lookUp(ACTIONS, rule.action, `${where}.action`),
		errno_ret: rule.errnoRet ?? EPERM,
		syscalls: rule.names,
		args: (rule.args ?? []).map(({ index, value, valueTwo, op }, at) => ({
			index,
			op: lookUp(COMPARISONS, op, `${where}.args[${at}].op`),
			value: BigInt(value),
			value_two: BigInt(valueTwo ?? 0),
		})),
	};
}
