import type { OciCapabilities } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { refuse } from './context.ts';

/** Capabilities by number (capabilities(7)). */
export const CAPABILITIES = [
	'CAP_CHOWN',
	'CAP_DAC_OVERRIDE',
	'CAP_DAC_READ_SEARCH',
	'CAP_FOWNER',
	'CAP_FSETID',
	'CAP_KILL',
	'CAP_SETGID',
	'CAP_SETUID',
	'CAP_SETPCAP',
	'CAP_LINUX_IMMUTABLE',
	'CAP_NET_BIND_SERVICE',
	'CAP_NET_BROADCAST',
	'CAP_NET_ADMIN',
	'CAP_NET_RAW',
	'CAP_IPC_LOCK',
	'CAP_IPC_OWNER',
	'CAP_SYS_MODULE',
	'CAP_SYS_RAWIO',
	'CAP_SYS_CHROOT',
	'CAP_SYS_PTRACE',
	'CAP_SYS_PACCT',
	'CAP_SYS_ADMIN',
	'CAP_SYS_BOOT',
	'CAP_SYS_NICE',
	'CAP_SYS_RESOURCE',
	'CAP_SYS_TIME',
	'CAP_SYS_TTY_CONFIG',
	'CAP_MKNOD',
	'CAP_LEASE',
	'CAP_AUDIT_WRITE',
	'CAP_AUDIT_CONTROL',
	'CAP_SETFCAP',
	'CAP_MAC_OVERRIDE',
	'CAP_MAC_ADMIN',
	'CAP_SYSLOG',
	'CAP_WAKE_ALARM',
	'CAP_BLOCK_SUSPEND',
	'CAP_AUDIT_READ',
	'CAP_PERFMON',
	'CAP_BPF',
	'CAP_CHECKPOINT_RESTORE',
] as const;

const BIT = new Map<string, bigint>(CAPABILITIES.map((name, bit) => [name, 1n << BigInt(bit)]));

/** The five sets. A spec without capabilities has none. */
export function capabilitiesOp(capabilities: OciCapabilities | undefined): Op {
	const bits = (set: keyof OciCapabilities) =>
		(capabilities?.[set] ?? []).reduce((sum, name, index) => {
			const bit = BIT.get(name);
			if (bit === undefined)
				throw refuse(`process.capabilities.${set}[${index}]`, `unknown capability ${name}`);
			return sum | bit;
		}, 0n);
	return {
		op: 'capabilities',
		bounding: bits('bounding'),
		effective: bits('effective'),
		permitted: bits('permitted'),
		inheritable: bits('inheritable'),
		ambient: bits('ambient'),
	};
}
