import type { Op, OpArgs, OpName } from '../shim/codec.ts';
import { CAPABILITIES } from './capabilities.ts';
import { CLONE_NEW, MS } from './flags.ts';
import { phaseName } from './hooks.ts';
import { rlimitName } from './rlimits.ts';
import { numberedLines } from './step-line.ts';

const octal = (mode: number): string => `0${(mode & 0o7777).toString(8)}`;
const note = (parts: readonly (string | false)[]): string => {
	const said = parts.filter((part) => part !== false && part !== '');
	return said.length === 0 ? '' : ` (${said.join(', ')})`;
};
const flagNames = (flags: bigint): string[] =>
	Object.entries(MS)
		.filter(([, bit]) => (flags & bit) !== 0n)
		.map(([name]) => name.toLowerCase());
const namespaceNames = (flags: number): string[] =>
	Object.entries(CLONE_NEW)
		.filter(([, bit]) => (flags & bit) !== 0)
		.map(([name]) => name);

function describeSpawn({ new_namespaces, joins, uid_map, cgroups, ...rest }: OpArgs<'spawn'>): string {
	const joined = joins.map(
		({ type, path, of }) => `${namespaceNames(type).join()} of ${of === '' ? path : of.slice(0, 13)}`,
	);
	const made = namespaceNames(new_namespaces);
	return `make the process${note([
		made.length > 0 && `new ${made.join(' ')}`,
		joined.length > 0 && `joins ${joined.join(', ')}`,
		uid_map.length > 0 &&
			`ids ${uid_map.map((map) => `${map.container_id}→${map.host_id}+${map.size}`).join(' ')}`,
		cgroups.length > 0 && `${cgroups.length} cgroup${cgroups.length > 1 ? 's' : ''}`,
		rest.set_oom_score_adj === 1 && `oom_score_adj ${rest.oom_score_adj}`,
	])}`;
}

function describeBind(op: OpArgs<'mount_bind'>): string {
	return `bind ${op.source} at ${op.target}${note([
		op.of !== '' && `of ${op.of.slice(0, 13)}`,
		op.recursive === 1 && 'recursive',
		...flagNames(op.set).map((name) => (name === 'rdonly' ? 'read-only' : name)),
		op.recursive_readonly === 1 && 'recursively read-only',
		...flagNames(op.propagation),
		op.uid_map.length > 0 && 'idmapped',
	])}`;
}

function describeCapabilities(op: OpArgs<'capabilities'>): string {
	const names = CAPABILITIES.filter((_, bit) => (op.bounding & (1n << BigInt(bit))) !== 0n);
	return `keep ${names.length === 0 ? 'no capability' : names.map((name) => name.slice(4).toLowerCase()).join(' ')}${note(
		[op.ambient !== 0n && 'some ambient'],
	)}`;
}

/** A verb and its object for each operation, to follow "Cannot". */
const DESCRIPTIONS: { readonly [N in OpName]: (args: OpArgs<N>) => string } = {
	cgroup_make: ({ path }) => `make the cgroup ${path}`,
	write_file: ({ path, value }) => `write ${value} to ${path}`,
	cgroup_devices: ({ path, program }) =>
		`attach a device filter (${program.length / 8} instructions) to ${path}`,
	cgroup_kill: ({ path }) => `kill the processes of ${path}`,
	cgroup_remove: ({ path }) => `remove the cgroup ${path}`,
	make_folder: ({ path, mode }) => `make the folder ${path} (${octal(mode)})`,
	pin_namespace: ({ name, path }) => `pin the ${name} namespace at ${path}`,
	unmount: ({ path }) => `unmount ${path}`,
	remove_tree: ({ path }) => `remove ${path}`,
	hooks: ({ phase, hooks }) =>
		`run the ${phaseName(phase)} hooks (${hooks.map(({ path }) => path).join(', ')})`,
	spawn: describeSpawn,
	session_keyring: ({ name }) => `join a session keyring ${name.slice(0, 13)}`,
	propagation: ({ flags }) => `set the mount propagation to ${flagNames(flags).join(' ')}`,
	root_overlay: ({ target, lowers }) =>
		`mount the overlay root at ${target} (${lowers.length} layer${lowers.length > 1 ? 's' : ''})`,
	root_bind: ({ source }) => `bind the root ${source}`,
	root_idmap: ({ uid_map }) => `idmap the root (${uid_map.length} range${uid_map.length > 1 ? 's' : ''})`,
	mount_fs: ({ fstype, target, flags, data, propagation }) =>
		`mount ${fstype} at ${target}${note([...flagNames(flags), data, ...flagNames(propagation)])}`,
	mount_bind: describeBind,
	mount_image: ({ target, lowers, sub_path, set }) =>
		`mount an image at ${target}${note([
			`${lowers.length} layers`,
			sub_path !== '' && `folder ${sub_path}`,
			...flagNames(set),
		])}`,
	make_folder_in: ({ path, mode }) => `make the folder ${path} in the root (${octal(mode)})`,
	make_symlink: ({ path, content }) => `link ${path} to ${content}`,
	make_device: ({ path, mode }) => `make the device ${path} (${octal(mode)})`,
	mask_path: ({ path }) => `mask ${path}`,
	readonly_path: ({ path }) => `make ${path} read-only`,
	pivot: () => 'enter the root',
	root_readonly: () => 'make the root read-only',
	root_propagation: ({ flags }) => `set the propagation of the root to ${flagNames(flags).join(' ')}`,
	hostname: ({ hostname, domain }) =>
		`set the hostname ${hostname}${note([domain !== '' && `domain ${domain}`])}`,
	sysctl: ({ name, value }) => `set ${name.replaceAll('/', '.')} to ${value}`,
	rlimit: ({ resource, soft, hard }) => `set ${rlimitName(resource)} to ${limit(soft)}:${limit(hard)}`,
	terminal: () => 'open a terminal',
	wait_start: () => 'wait for start',
	labels: ({ apparmor, selinux }) => `set the label ${[apparmor, selinux].filter(Boolean).join(' ')}`,
	user: ({ uid, gid, groups }) =>
		`become user ${uid}:${gid}${note([groups.length > 0 && `groups ${groups.join(' ')}`])}`,
	capabilities: describeCapabilities,
	no_new_privileges: () => 'give up new privileges',
	seccomp: ({ program }) => `install the system call filter (${program.length / 8} instructions)`,
	working_folder: ({ path, create }) => `${create === 1 ? 'make the working folder' : 'change to'} ${path}`,
	personality: ({ persona }) => `set the personality ${persona}`,
	io_priority: ({ value }) => `set the I/O priority to class ${value >> 13}, ${value & 0x1fff}`,
	scheduler: ({ policy }) => `set the scheduler policy ${policy}`,
	exec: ({ argv }) =>
		`execute ${argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ')}`,
	unshare: ({ flags }) => `unshare ${namespaceNames(flags).join(' ')}`,
	restore: ({ argv }) => `restore the processes with ${argv[0]}`,
};

const limit = (value: bigint): string => (value === 2n ** 64n - 1n ? 'unlimited' : value.toString());

/** One operation as words that follow "Cannot": `mount proc at /proc (nosuid, noexec, nodev)`. */
export function describeOp(op: Op): string {
	return (DESCRIPTIONS[op.op] as (args: Op) => string)(op);
}

/** A plan as numbered lines for people. Secrets can lie in an environment: exec shows the arguments alone. */
export function describePlan(plan: readonly Op[]): string[] {
	return numberedLines(plan.map(describeOp));
}
