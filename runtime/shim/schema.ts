/**
 * The protocol between the daemon and its C program, as one table. The TypeScript codec reads it, and
 * `hack/generate-protocol.ts` writes `runtime/native/protocol.h` from it, so neither side can change alone.
 *
 * Field types: `u32 i32 u64 i64` (little endian), `str` (UTF-8, no NUL inside), `bytes`, `[T]` a list of a
 * struct of STRUCTS or of `str`/`u32`, and the name of a struct. A 64-bit number is a bigint in TypeScript.
 */

export type FieldType = 'u32' | 'i32' | 'u64' | 'i64' | 'str' | 'bytes' | (string & {}) | readonly [string];
export type Fields = Readonly<Record<string, FieldType>>;
export interface Entry {
	readonly code: number;
	readonly doc: string;
	readonly fields: Fields;
}

/** Raised whenever a change is not understood by the other side. */
export const PROTOCOL_VERSION = 1;
/**
 * Shims outlive the daemon, so a newer one still speaks to shims of these versions. Raised only when no node can have
 * pods of the version before; what a change needs of an older shim is decided by the version that it tells.
 */
export const OLDEST_PROTOCOL_VERSION = 1;
/** A frame longer than this is a protocol error: the connection is closed. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;

/** Values shared by both sides. */
export const CONSTANTS = {
	/** Process streams. */
	STREAM_STDOUT: 1,
	STREAM_STDERR: 2,
	/** Container states as LISTED tells them (OCI state). */
	STATE_CREATED: 1,
	STATE_RUNNING: 2,
	STATE_STOPPED: 3,
	/** EXEC: what becomes of the process when its connection closes. */
	EXEC_KILL_ON_CLOSE: 1,
	/** EXEC: open a stdin for the process. */
	EXEC_STDIN: 2,
	/** EXEC: give it a terminal. */
	EXEC_TERMINAL: 4,
	/** write_file: an error of this kind is no failure. */
	WRITE_IGNORE_MISSING: 1,
	WRITE_IGNORE_ERRORS: 2,
	/** Namespaces of a network plan step. */
	NET_HOST: 0,
	NET_POD: 1,
	/** Kinds of a network plan step. */
	NET_NETLINK: 0,
	NET_SYSCTL: 1,
	/** Where hooks run (OCI config, POSIX-platform hooks). */
	HOOK_PRESTART: 1,
	HOOK_CREATE_RUNTIME: 2,
	HOOK_CREATE_CONTAINER: 3,
	HOOK_START_CONTAINER: 4,
	HOOK_POSTSTART: 5,
	HOOK_POSTSTOP: 6,
	/** The step number of an error that no step caused. */
	NO_STEP: 0xffffffff,
} as const;

/** Structs that messages and operations contain. */
export const STRUCTS = {
	op: { code: 'u32', args: 'bytes' },
	timing: { step: 'u32', op: 'u32', elapsed_ns: 'u64' },
	container_state: {
		id: 'str',
		pid: 'u32',
		start_time: 'u64',
		state: 'u32',
		exit_code: 'i32',
		signal: 'u32',
		started_at_ns: 'u64',
		exited_at_ns: 'u64',
	},
	id_map: { container_id: 'u32', host_id: 'u32', size: 'u32' },
	ns_join: { type: 'u32', path: 'str', of: 'str' },
	cgroup: { path: 'str', v2: 'u32' },
	hook: { path: 'str', args: ['str'], env: ['str'], timeout_ms: 'u32' },
	seccomp_arg: { index: 'u32', op: 'u32', value: 'u64', value_two: 'u64' },
	seccomp_rule: { action: 'u32', errno_ret: 'u32', syscalls: ['str'], args: ['seccomp_arg'] },
	net_step: {
		kind: 'u32',
		ns: 'u32',
		label: 'str',
		protocol: 'u32',
		messages: 'bytes',
		netns_fd_offsets: ['u32'],
		tolerate: ['u32'],
		path: 'str',
		value: 'str',
	},
	net_result: { step: 'u32', elapsed_ns: 'u64', reply: 'bytes' },
	fs_op: {
		kind: 'u32',
		path: 'str',
		mode: 'u32',
		uid: 'u32',
		gid: 'u32',
		device: 'u64',
		atime_ns: 'i64',
		mtime_ns: 'i64',
		name: 'str',
		value: 'bytes',
	},
} as const satisfies Record<string, Fields>;

/** fs_op kinds (FS_APPLY). Paths are relative to the root and reached without following any symlink. */
export const FS_OPS = {
	/** chown, then chmod (mode has the permission bits incl. set-id), then times. Also on symlinks (no chmod). */
	ATTRIBUTES: 1,
	/** A device, fifo or whiteout (char 0:0): mode has the type bits; then as ATTRIBUTES. */
	MKNOD: 2,
	/** lsetxattr(name, value). */
	SETXATTR: 3,
	/** Hard link: `path` becomes another name of `name` (both relative to the root). */
	LINK: 4,
} as const;

/** Requests and replies of a shim and of the launcher. */
export const MESSAGES = {
	HELLO: { code: 1, doc: 'First frame of every connection.', fields: { version: 'u32' } },
	WELCOME: {
		code: 2,
		doc: 'Reply to HELLO: who answers. start_time is field 22 of /proc/PID/stat.',
		fields: { version: 'u32', pid: 'u32', start_time: 'u64', sandbox_id: 'str' },
	},
	OK: { code: 3, doc: 'Done, nothing to say.', fields: {} },
	ERROR: {
		code: 4,
		doc: 'Failed. step and op name the plan step (NO_STEP and 0 otherwise); detail is a sentence without errno.',
		fields: { errno: 'i32', step: 'u32', op: 'u32', detail: 'str' },
	},

	// ---- shim: control
	CREATE: {
		code: 20,
		doc: 'Carry out a plan up to wait_start. folder is where the exit record is written (file `exit`). log_path may be empty (no log).',
		fields: {
			id: 'str',
			folder: 'str',
			log_path: 'str',
			log_line_max: 'u32',
			terminal: 'u32',
			stdin: 'u32',
			stdin_once: 'u32',
			plan: ['op'],
		},
	},
	CREATED: {
		code: 21,
		doc: 'Reply to CREATE.',
		fields: { pid: 'u32', start_time: 'u64', timings: ['timing'] },
	},
	START: { code: 22, doc: 'Release a created container to its exec.', fields: { id: 'str' } },
	STARTED: {
		code: 23,
		doc: 'Reply to START, after the exec succeeded. hook_error: what failed in poststart hooks.',
		fields: { started_at_ns: 'u64', hook_error: 'str', timings: ['timing'] },
	},
	KILL: {
		code: 24,
		doc: 'Signal the init process, or with all=1 every process of its cgroup.',
		fields: { id: 'str', signal: 'u32', all: 'u32' },
	},
	DELETE: {
		code: 25,
		doc: 'Kill what is left, wait for it, carry out the teardown plan (host namespaces), forget the container. hook_error: what failed in poststop hooks.',
		fields: { id: 'str', plan: ['op'] },
	},
	DELETED: { code: 26, doc: 'Reply to DELETE.', fields: { hook_error: 'str', timings: ['timing'] } },
	LIST: { code: 27, doc: 'All containers of the shim.', fields: {} },
	LISTED: { code: 28, doc: 'Reply to LIST and SUBSCRIBE.', fields: { containers: ['container_state'] } },
	SUBSCRIBE: {
		code: 29,
		doc: 'Answers LISTED; from then on EXITED comes on this connection (request id 0).',
		fields: {},
	},
	EXITED: {
		code: 30,
		doc: 'Event: the init process of a container ended. The exit record is on disk before this is sent. Also the last frame of an exec or attach stream.',
		fields: { id: 'str', pid: 'u32', exit_code: 'i32', signal: 'u32', exited_at_ns: 'u64', timed_out: 'u32' },
	},
	REOPEN_LOG: {
		code: 31,
		doc: 'Close the log and open log_path anew, between two lines.',
		fields: { id: 'str', log_path: 'str' },
	},
	SHUTDOWN: { code: 32, doc: 'End the shim; EBUSY while it has containers.', fields: {} },

	// ---- shim: streams. Each has a connection of its own.
	EXEC: {
		code: 40,
		doc: 'Run a process beside a container. Answers EXEC_STARTED or ERROR, then OUTPUT frames, then EXITED. timeout_ms 0: none. When the main process ends, output is drained for drain_ms at most.',
		fields: { id: 'str', exec_id: 'str', flags: 'u32', timeout_ms: 'u32', drain_ms: 'u32', plan: ['op'] },
	},
	EXEC_STARTED: { code: 41, doc: 'Reply to EXEC.', fields: { pid: 'u32' } },
	ATTACH: {
		code: 42,
		doc: 'Join the streams of a running container: OK, then OUTPUT from now on, then EXITED.',
		fields: { id: 'str', stdin: 'u32', stdout: 'u32', stderr: 'u32' },
	},
	STDIN: { code: 43, doc: 'Client to process.', fields: { data: 'bytes' } },
	CLOSE_STDIN: { code: 44, doc: 'End of stdin.', fields: {} },
	OUTPUT: { code: 45, doc: 'Process to client.', fields: { stream: 'u32', data: 'bytes' } },
	RESIZE: {
		code: 46,
		doc: 'Terminal size. On a stream connection: of its process; id may be empty. On a control connection: of container id.',
		fields: { id: 'str', columns: 'u32', rows: 'u32' },
	},
	FORWARD: {
		code: 47,
		doc: 'Connect to a TCP port of 127.0.0.1, or else of ::1, in the network namespace of a container: OK once connected. Then OUTPUT from the port and STDIN to it; here CLOSE_STDIN is answered OK, when the port was told. A connection that closes before both sides have ended is reset. Shims that are older than this message answer EOPNOTSUPP.',
		fields: { id: 'str', port: 'u32' },
	},
	FORWARD_CLOSED: {
		code: 48,
		doc: 'Nothing more comes from the port: it has ended its side (errno 0), or the connection broke. When both sides have ended the shim closes its connection.',
		fields: { errno: 'i32' },
	},

	// ---- launcher
	START_SHIM: {
		code: 60,
		doc: 'Fork a shim that listens on a Unix socket, before this answers. network: it makes a network namespace ahead, for the first container that wants a new one (and no user namespace, which would have to own it).',
		fields: { sandbox_id: 'str', socket_path: 'str', instance: 'str', oom_score_adj: 'i32', network: 'u32' },
	},
	SHIM_STARTED: { code: 61, doc: 'Reply to START_SHIM.', fields: { pid: 'u32', start_time: 'u64' } },
	RUN: {
		code: 62,
		doc: 'Run a program to its end. Its whole process group is killed at the deadline. namespaces: files of namespaces to enter first (setns). outlives=1: it goes on when the launcher or the daemon ends. Output beyond max_output bytes per stream is read and dropped.',
		fields: {
			argv: ['str'],
			env: ['str'],
			cwd: 'str',
			stdin: 'bytes',
			timeout_ms: 'u32',
			max_output: 'u32',
			namespaces: ['str'],
			outlives: 'u32',
		},
	},
	RAN: {
		code: 63,
		doc: 'Reply to RUN.',
		fields: {
			exit_code: 'i32',
			signal: 'u32',
			timed_out: 'u32',
			truncated: 'u32',
			stdout: 'bytes',
			stderr: 'bytes',
		},
	},
	SECCOMP: {
		code: 64,
		doc: 'Compile a profile. action and default_action are SECCOMP_RET_* values; arches are SCMP_ARCH_*; flags SECCOMP_FILTER_FLAG_*. Names that libseccomp does not know are skipped. When the default is an errno, numbers above the newest that the profile names (per architecture) answer ENOSYS.',
		fields: { default_action: 'u32', default_errno: 'u32', arches: ['u32'], rules: ['seccomp_rule'] },
	},
	FILTER: { code: 65, doc: 'Reply to SECCOMP: struct sock_filter[].', fields: { program: 'bytes' } },
	NET_APPLY: {
		code: 66,
		doc: 'Carry out a network plan. netns_path names the pod namespace; empty if no step needs it.',
		fields: { netns_path: 'str', steps: ['net_step'] },
	},
	NET_APPLIED: {
		code: 67,
		doc: 'Reply to NET_APPLY: per step what a dump or echo brought.',
		fields: { results: ['net_result'] },
	},
	FS_APPLY: {
		code: 68,
		doc: 'Carry out file operations below root.',
		fields: { root: 'str', ops: ['fs_op'] },
	},
	TREE_REMOVE: {
		code: 69,
		doc: 'Remove a tree without following symlinks or crossing mounts. A missing path is fine.',
		fields: { path: 'str' },
	},
	TREE_USAGE: {
		code: 70,
		doc: 'Space and inodes of a tree (blocks; hard links once).',
		fields: { path: 'str' },
	},
	USAGE: { code: 71, doc: 'Reply to TREE_USAGE.', fields: { bytes: 'u64', inodes: 'u64' } },
	SYNC_FS: { code: 72, doc: 'syncfs(2) of the file system that holds path.', fields: { path: 'str' } },
	LOCK: {
		code: 73,
		doc: 'Take an exclusive lock on a file for as long as the launcher lives. ERROR EWOULDBLOCK when another holds it.',
		fields: { path: 'str' },
	},
	TEARDOWN: {
		code: 74,
		doc: 'Carry out a teardown plan when no shim can: answers DELETED.',
		fields: { plan: ['op'] },
	},
	CGROUP_ENTER: {
		code: 75,
		doc: 'Make the launcher (and so every later shim) a member of these cgroups.',
		fields: { cgroups: ['cgroup'] },
	},
} as const satisfies Record<string, Entry>;

/**
 * Plan operations. A plan is carried out in order. Operations before `spawn` run in host namespaces; `spawn`
 * makes the process that becomes the container, and everything after it runs there. Targets (`target`, `path`
 * after `spawn`) lie inside the root file system and are resolved beneath it only.
 */
export const OPS = {
	// ---- host namespaces (before spawn, and teardown plans)
	cgroup_make: {
		code: 1,
		doc: 'mkdir -p of a cgroup folder (cpuset.cpus/mems of v1 inherited from the parent when empty).',
		fields: { path: 'str' },
	},
	write_file: {
		code: 2,
		doc: 'Write a value to an existing file of the host (cgroup files). flags: WRITE_*.',
		fields: { path: 'str', value: 'str', flags: 'u32' },
	},
	cgroup_devices: {
		code: 3,
		doc: 'Load and attach a BPF_PROG_TYPE_CGROUP_DEVICE program (struct bpf_insn[]) to a v2 cgroup.',
		fields: { path: 'str', program: 'bytes' },
	},
	cgroup_kill: {
		code: 4,
		doc: 'Kill every process in a cgroup and below, frozen ones included, and wait until it is empty (at most timeout_ms).',
		fields: { path: 'str', v2: 'u32', timeout_ms: 'u32' },
	},
	cgroup_remove: {
		code: 5,
		doc: 'rmdir a cgroup and those below it; retried on EBUSY for at most timeout_ms. Missing is fine.',
		fields: { path: 'str', timeout_ms: 'u32' },
	},
	make_folder: {
		code: 6,
		doc: 'mkdir on the host; existing is fine.',
		fields: { path: 'str', mode: 'u32', uid: 'u32', gid: 'u32' },
	},
	pin_namespace: {
		code: 7,
		doc: 'After spawn only, carried out by the host side: bind /proc/INIT/ns/NAME to a file that it makes.',
		fields: { name: 'str', path: 'str' },
	},
	unmount: {
		code: 8,
		doc: 'umount2 of a host path (MNT_DETACH) and, with remove=1, rmdir/unlink it. Missing is fine.',
		fields: { path: 'str', remove: 'u32' },
	},
	remove_tree: { code: 9, doc: 'Remove a tree, as TREE_REMOVE.', fields: { path: 'str' } },
	hooks: {
		code: 10,
		doc: 'Run OCI hooks of one phase in order. The state on stdin is state_head + the pid as decimal + state_tail. prestart and createRuntime are carried out by the host side while the container waits; createContainer and startContainer in the container. poststart and poststop failures are collected, others fail the step.',
		fields: { phase: 'u32', hooks: ['hook'], state_head: 'str', state_tail: 'str' },
	},

	// ---- the process
	spawn: {
		code: 20,
		doc: 'Make the container process. new_namespaces: CLONE_NEW* flags (cgroup and time namespaces are made after the cgroups are joined). joins: by path, or of the init process of container `of` in this shim. An empty uid_map list: no mapping is written. The container is killed through the first of cgroups. oom_score_adj is clamped to what is allowed; set_oom_score_adj=0: leave it.',
		fields: {
			new_namespaces: 'u32',
			joins: ['ns_join'],
			uid_map: ['id_map'],
			gid_map: ['id_map'],
			cgroups: ['cgroup'],
			set_oom_score_adj: 'u32',
			oom_score_adj: 'i32',
		},
	},
	session_keyring: {
		code: 21,
		doc: 'keyctl(KEYCTL_JOIN_SESSION_KEYRING). ENOSYS and EPERM are fine.',
		fields: { name: 'str' },
	},

	// ---- the root file system
	propagation: {
		code: 30,
		doc: 'Set the propagation of every mount of the new mount namespace (MS_SLAVE|MS_REC, …).',
		fields: { flags: 'u64' },
	},
	root_overlay: {
		code: 31,
		doc: 'Mount an overlay as the root at the host folder `target`. lowers: topmost first.',
		fields: { target: 'str', lowers: ['str'], upper: 'str', work: 'str', options: 'str' },
	},
	root_bind: {
		code: 32,
		doc: 'Bind a folder as the root at the host folder `target`.',
		fields: { source: 'str', target: 'str', readonly: 'u32' },
	},
	root_idmap: {
		code: 33,
		doc: 'Comes before root_overlay or root_bind: idmap with these maps (mount_setattr MOUNT_ATTR_IDMAP) every lower of the overlay (an overlay mount itself cannot be), or the bind. upper and work, which must lie in one folder, stay as they are: there the ids on disk are those of the host.',
		fields: { uid_map: ['id_map'], gid_map: ['id_map'] },
	},
	mount_fs: {
		code: 34,
		doc: 'Mount a file system (proc, sysfs, tmpfs, mqueue, devpts, cgroup, cgroup2, …). flags: MS_*. data: the comma-separated options.',
		fields: { fstype: 'str', source: 'str', target: 'str', flags: 'u64', data: 'str', propagation: 'u64' },
	},
	mount_bind: {
		code: 35,
		doc: 'Bind a host path; the target is made as what the source is. set/clear: MS_* flags; recursive_readonly: read-only on every mount below too (mount_setattr AT_RECURSIVE). of: take the source from the mount namespace of that container. uid_map/gid_map: idmap it.',
		fields: {
			source: 'str',
			target: 'str',
			of: 'str',
			recursive: 'u32',
			set: 'u64',
			clear: 'u64',
			recursive_readonly: 'u32',
			propagation: 'u64',
			uid_map: ['id_map'],
			gid_map: ['id_map'],
		},
	},
	make_folder_in: {
		code: 36,
		doc: 'mkdir -p in the root.',
		fields: { path: 'str', mode: 'u32', uid: 'u32', gid: 'u32' },
	},
	make_symlink: {
		code: 37,
		doc: 'symlink in the root; an existing one with the same content is fine.',
		fields: { path: 'str', content: 'str' },
	},
	make_device: {
		code: 38,
		doc: 'mknod in the root (parents are made); an existing equal node is fine. mode has the type bits.',
		fields: { path: 'str', mode: 'u32', device: 'u64', uid: 'u32', gid: 'u32' },
	},
	mask_path: {
		code: 39,
		doc: 'Hide a path: /dev/null over a file, an empty read-only tmpfs over a folder. Missing is fine.',
		fields: { path: 'str' },
	},
	readonly_path: {
		code: 40,
		doc: 'Bind a path on itself, read-only. Missing is fine.',
		fields: { path: 'str' },
	},
	pivot: {
		code: 41,
		doc: 'pivot_root into the root and detach the old one. no_pivot=1: MS_MOVE and chroot.',
		fields: { no_pivot: 'u32' },
	},
	root_readonly: { code: 42, doc: 'Remount the root read-only (after pivot).', fields: {} },
	mount_image: {
		code: 44,
		doc: "Mount an image, read-only, at `target` in the root: an overlay of two or more lowers, topmost first, idmapped as root_idmap says. sub_path: only that folder of it, whose symlinks stay in the image; '' is all. place: a folder of the host to make it at, seen by nobody. set: more MS_* flags.",
		fields: { target: 'str', lowers: ['str'], sub_path: 'str', place: 'str', set: 'u64' },
	},
	root_propagation: {
		code: 43,
		doc: 'Propagation of the root mount (rootfsPropagation).',
		fields: { flags: 'u64' },
	},

	// ---- the process's properties
	hostname: {
		code: 50,
		doc: 'sethostname; and setdomainname when domain is not empty.',
		fields: { hostname: 'str', domain: 'str' },
	},
	sysctl: {
		code: 51,
		doc: 'Write below /proc/sys of the host procfs, seen from the new namespaces. name has slashes.',
		fields: { name: 'str', value: 'str' },
	},
	rlimit: {
		code: 52,
		doc: 'setrlimit, clamped to the hard limit when raising it is not allowed.',
		fields: { resource: 'u32', soft: 'u64', hard: 'u64' },
	},
	terminal: {
		code: 53,
		doc: 'A new pseudo-terminal of the container devpts, as /dev/console, controlling terminal and stdio; the master goes to the shim.',
		fields: { columns: 'u32', rows: 'u32', console: 'u32' },
	},
	wait_start: { code: 54, doc: 'CREATE is answered here; what follows waits for START.', fields: {} },
	labels: {
		code: 55,
		doc: 'AppArmor profile and SELinux label for the exec. Empty: none.',
		fields: { apparmor: 'str', selinux: 'str' },
	},
	user: {
		code: 56,
		doc: 'setgroups, setgid, setuid, umask (umask 0xffffffff: leave). Capabilities are kept until `capabilities`.',
		fields: { uid: 'u32', gid: 'u32', groups: ['u32'], umask: 'u32' },
	},
	capabilities: {
		code: 57,
		doc: 'All five sets, each clamped to what the process has.',
		fields: { bounding: 'u64', effective: 'u64', permitted: 'u64', inheritable: 'u64', ambient: 'u64' },
	},
	no_new_privileges: { code: 58, doc: 'prctl(PR_SET_NO_NEW_PRIVS).', fields: {} },
	seccomp: {
		code: 59,
		doc: 'Install a filter: struct sock_filter[]. flags SECCOMP_FILTER_FLAG_*.',
		fields: { program: 'bytes', flags: 'u32' },
	},
	working_folder: {
		code: 60,
		doc: 'chdir; create=1 makes it when missing. Fails when the result lies outside the root.',
		fields: { path: 'str', create: 'u32' },
	},
	personality: { code: 61, doc: 'personality(2).', fields: { persona: 'u64' } },
	io_priority: { code: 62, doc: 'ioprio_set(IOPRIO_WHO_PROCESS, 0, value).', fields: { value: 'u32' } },
	scheduler: {
		code: 63,
		doc: 'sched_setattr(2).',
		fields: {
			policy: 'u32',
			nice: 'i32',
			priority: 'u32',
			flags: 'u64',
			runtime: 'u64',
			deadline: 'u64',
			period: 'u64',
		},
	},
	exec: {
		code: 64,
		doc: 'execve; a path without a slash is looked up in the PATH of env. The last step.',
		fields: { argv: ['str'], env: ['str'] },
	},
	unshare: {
		code: 65,
		doc: 'unshare(2) of these CLONE_NEW* flags, in the process.',
		fields: { flags: 'u32' },
	},
	restore: {
		code: 66,
		doc: 'Instead of exec, without wait_start: execute a program of the host that makes the process of the container as its own sibling, stopped, writes its pid to pid_file and ends with 0. CREATE is answered then; START continues the processes of the cgroup. Each of the mounts, which must be there in the root, is bound at its number below the host folder `folder` first (a tmpfs that only the program sees). root_readonly=1: the root mount is made read-only before.',
		fields: {
			argv: ['str'],
			env: ['str'],
			pid_file: 'str',
			mounts: ['str'],
			folder: 'str',
			root_readonly: 'u32',
		},
	},
} as const satisfies Record<string, Entry>;
