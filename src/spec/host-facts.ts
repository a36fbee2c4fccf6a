import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { CAPABILITIES, isAtLeast } from '#runtime';

/** What the kernel of this machine offers to specs. Read once, when the daemon starts. */
export interface HostFacts {
	/** Capabilities that the daemon itself may give, with CAP_. */
	readonly capabilities: readonly string[];
	/** Those that the kernel has and the daemon may not give. */
	readonly missingCapabilities: readonly string[];
	readonly cgroupVersion: 1 | 2;
	readonly seLinux: boolean;
	/** The cgroups can limit swap. */
	readonly swapLimit: boolean;
	/** User namespaces with an image of their own (idmapped overlay layers, Linux 5.19). */
	readonly userNamespaces: boolean;
}

/** Reads them from /proc and /sys. */
export function readHostFacts(cgroupVersion: 1 | 2): HostFacts {
	const capabilities = boundingCapabilities(readFileSync('/proc/self/status', 'utf8'));
	return {
		capabilities,
		missingCapabilities: kernelCapabilities().filter((name) => !capabilities.includes(name)),
		cgroupVersion,
		seLinux: existsSync('/sys/fs/selinux/enforce'),
		swapLimit: cgroupVersion === 2 || existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes'),
		userNamespaces: isAtLeast(release(), 5, 19),
	};
}

function boundingCapabilities(status: string): readonly string[] {
	const bits = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
	return CAPABILITIES.filter((_name, bit) => (bits >> BigInt(bit)) & 1n);
}

/** An older kernel has fewer than are known. */
function kernelCapabilities(): readonly string[] {
	const last = Number(readText('/proc/sys/kernel/cap_last_cap') || CAPABILITIES.length - 1);
	return CAPABILITIES.slice(0, last + 1);
}

function readText(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return '';
	}
}
