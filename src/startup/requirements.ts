/** What the machine must have, checked before anything is made on it. Every message says what to do. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { failedPrecondition } from '#base/errors.ts';
import type { Config } from '../config/types.ts';

/** What is looked at; replaced in tests. */
export interface Machine {
	readonly uid: number;
	/** `6.1.0-18-amd64`. */
	readonly kernelRelease: string;
	exists(path: string): boolean;
	isExecutable(path: string): boolean;
	/** '' when it cannot be read. */
	read(path: string): string;
}

export const thisMachine: Machine = {
	uid: process.getuid?.() ?? -1,
	kernelRelease: release(),
	exists: existsSync,
	isExecutable: (path) => succeeds(() => accessSync(path, constants.X_OK)),
	read: (path) => {
		try {
			return readFileSync(path, 'utf8');
		} catch {
			return '';
		}
	},
};

/** FAILED_PRECONDITION with one sentence for each thing that is missing. */
export function checkRequirements(config: Config, machine: Machine = thisMachine): void {
	const missing = [
		...checkRoot(machine),
		...checkKernel(machine),
		...checkOverlay(machine),
		...checkNamespaces(machine),
		...checkSeccomp(machine),
		...checkBuiltinNetwork(config, machine),
		...checkPrograms(config, machine),
		...checkProfile(config, machine),
	];
	if (missing.length > 0) throw failedPrecondition(`This machine cannot run Gantry:\n${missing.join('\n')}`);
}

/** mount_setattr with idmapped and recursive read-only mounts, and overlays that take them. */
const LEAST_KERNEL = [5, 15] as const;

function* checkRoot({ uid }: Machine): Generator<string> {
	if (uid !== 0) yield `It must be run by root, not by uid ${uid}.`;
}

function* checkKernel({ kernelRelease }: Machine): Generator<string> {
	const [major = 0, minor = 0] = kernelRelease.split('.').map(Number.parseFloat);
	const [leastMajor, leastMinor] = LEAST_KERNEL;
	if (major < leastMajor || (major === leastMajor && minor < leastMinor))
		yield `Linux ${leastMajor}.${leastMinor} or newer is needed; this is ${kernelRelease}.`;
}

function* checkOverlay(machine: Machine): Generator<string> {
	const isThere = /\boverlay$/m.test(machine.read('/proc/filesystems'));
	if (!isThere && !mayHaveModule(machine, 'overlay'))
		yield 'The kernel has no overlay file system: load it with modprobe overlay, or use a kernel with CONFIG_OVERLAY_FS.';
}

/** Pods that ask for the runtime's default get it: without it every one of them would be refused. */
function* checkProfile({ runtime: { seccompProfile } }: Config, machine: Machine): Generator<string> {
	if (!machine.exists(seccompProfile))
		yield `The seccomp profile ${seccompProfile} is missing: mend runtime.seccomp_profile, or put the file there.`;
}

function* checkNamespaces(machine: Machine): Generator<string> {
	for (const name of ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'])
		if (!machine.exists(`/proc/self/ns/${name}`)) yield `The kernel has no ${name} namespaces.`;
}

function* checkSeccomp(machine: Machine): Generator<string> {
	if (!machine.exists('/proc/sys/kernel/seccomp/actions_avail'))
		yield 'The kernel has no system call filters: use one with CONFIG_SECCOMP_FILTER.';
}

function* checkBuiltinNetwork(config: Config, machine: Machine): Generator<string> {
	if (config.network.provider !== 'builtin') return;
	for (const module of ['nf_tables', 'bridge', 'veth'])
		if (!mayHaveModule(machine, module))
			yield `The built-in network needs ${module}: load it with modprobe ${module}, or set network.provider = "cni".`;
}

function* checkPrograms(config: Config, machine: Machine): Generator<string> {
	const folder = config.runtime.nativeFolder;
	const missing = ['gantry-shim', 'gantry-hook', 'pause'].filter(
		(name) => !machine.isExecutable(join(folder, name)),
	);
	if (missing.length > 0)
		yield `${missing.join(', ')} not found in ${folder}: run make -C runtime/native, or set runtime.native_folder.`;
}

/**
 * Whether a kernel module is loaded, built in or can be loaded on demand. A machine without lists of modules (a
 * container, a kernel without modules) may have it built in: then the first use tells.
 */
function mayHaveModule(machine: Machine, name: string): boolean {
	if (machine.exists(`/sys/module/${name}`)) return true;
	const folder = `/lib/modules/${machine.kernelRelease}`;
	const lists = ['modules.builtin', 'modules.dep'].map((list) => machine.read(join(folder, list))).join('\n');
	return lists.trim() === '' || new RegExp(`/${name}\\.ko`).test(lists);
}

function succeeds(work: () => void): boolean {
	try {
		work();
		return true;
	} catch {
		return false;
	}
}
