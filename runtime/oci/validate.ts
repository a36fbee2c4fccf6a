import { invalidArgument } from '#base/errors.ts';
import {
	array,
	boolean,
	exactInteger,
	i32,
	integer,
	object,
	oneOf,
	optional,
	record,
	refuseUnless,
	string,
	u32,
} from './shape.ts';
import type {
	OciCapabilities,
	OciDevice,
	OciDeviceRule,
	OciHook,
	OciHooks,
	OciIdMapping,
	OciLinux,
	OciMount,
	OciProcess,
	OciResources,
	OciRlimit,
	OciScheduler,
	OciSeccomp,
	OciSpec,
	OciUser,
} from './spec.ts';

type Member<T> = NonNullable<T> extends readonly (infer E)[] ? E : never;
type Resource<K extends keyof OciResources> = NonNullable<OciResources[K]>;

const strings = array(string);
const idMappings = array(object<OciIdMapping>({ containerID: u32, hostID: u32, size: u32 }));

const process = object<OciProcess>({
	terminal: optional(boolean),
	consoleSize: optional(object<NonNullable<OciProcess['consoleSize']>>({ height: u32, width: u32 })),
	cwd: string,
	env: optional(strings),
	args: strings,
	user: object<OciUser>({ uid: u32, gid: u32, umask: optional(u32), additionalGids: optional(array(u32)) }),
	rlimits: optional(array(object<OciRlimit>({ type: string, soft: integer, hard: integer }))),
	capabilities: optional(
		object<OciCapabilities>({
			bounding: optional(strings),
			effective: optional(strings),
			permitted: optional(strings),
			inheritable: optional(strings),
			ambient: optional(strings),
		}),
	),
	noNewPrivileges: optional(boolean),
	apparmorProfile: optional(string),
	selinuxLabel: optional(string),
	oomScoreAdj: optional(i32),
	ioPriority: optional(object<NonNullable<OciProcess['ioPriority']>>({ class: string, priority: i32 })),
	scheduler: optional(
		object<OciScheduler>({
			policy: string,
			nice: optional(i32),
			priority: optional(u32),
			flags: optional(strings),
			runtime: optional(integer),
			deadline: optional(integer),
			period: optional(integer),
		}),
	),
});

const mount = object<OciMount>({
	destination: string,
	type: optional(string),
	source: optional(string),
	options: optional(strings),
	uidMappings: optional(idMappings),
	gidMappings: optional(idMappings),
});

const hooks = array(
	object<OciHook>({
		path: string,
		args: optional(strings),
		env: optional(strings),
		timeout: optional(integer),
	}),
);

const resources = object<OciResources>({
	devices: optional(
		array(
			object<OciDeviceRule>({
				allow: boolean,
				type: optional(oneOf('a', 'b', 'c')),
				major: optional(integer),
				minor: optional(integer),
				access: optional(string),
			}),
		),
	),
	memory: optional(
		object<Resource<'memory'>>({
			limit: optional(integer),
			reservation: optional(integer),
			swap: optional(integer),
			swappiness: optional(u32),
			disableOOMKiller: optional(boolean),
		}),
	),
	cpu: optional(
		object<Resource<'cpu'>>({
			shares: optional(integer),
			quota: optional(integer),
			burst: optional(integer),
			period: optional(integer),
			realtimeRuntime: optional(integer),
			realtimePeriod: optional(integer),
			cpus: optional(string),
			mems: optional(string),
			idle: optional(integer),
		}),
	),
	pids: optional(object<Resource<'pids'>>({ limit: integer })),
	hugepageLimits: optional(
		array(object<Member<OciResources['hugepageLimits']>>({ pageSize: string, limit: integer })),
	),
	blockIO: optional(object<Resource<'blockIO'>>({ weight: optional(u32) })),
	unified: optional(record(string)),
});

type Syscall = Member<OciSeccomp['syscalls']>;
const seccomp = object<OciSeccomp>({
	defaultAction: string,
	defaultErrnoRet: optional(u32),
	architectures: optional(strings),
	flags: optional(strings),
	syscalls: optional(
		array(
			object<Syscall>({
				names: strings,
				action: string,
				errnoRet: optional(u32),
				args: optional(
					array(
						object<Member<Syscall['args']>>({
							index: u32,
							value: exactInteger,
							valueTwo: optional(exactInteger),
							op: string,
						}),
					),
				),
			}),
		),
	),
});

const device = object<OciDevice>({
	type: oneOf('c', 'b', 'u', 'p'),
	path: string,
	major: optional(u32),
	minor: optional(u32),
	fileMode: optional(u32),
	uid: optional(u32),
	gid: optional(u32),
});

const linux = object<OciLinux>({
	namespaces: optional(
		array(
			object<Member<OciLinux['namespaces']>>({
				type: oneOf('pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'),
				path: optional(string),
			}),
		),
	),
	uidMappings: optional(idMappings),
	gidMappings: optional(idMappings),
	devices: optional(array(device)),
	cgroupsPath: optional(string),
	resources: optional(resources),
	rootfsPropagation: optional(
		oneOf('shared', 'slave', 'private', 'unbindable', 'rshared', 'rslave', 'rprivate'),
	),
	seccomp: optional(seccomp),
	sysctl: optional(record(string)),
	maskedPaths: optional(strings),
	readonlyPaths: optional(strings),
	mountLabel: optional(string),
	personality: optional(
		object<NonNullable<OciLinux['personality']>>({ domain: string, flags: optional(strings) }),
	),
});

const spec = object<OciSpec>({
	ociVersion: string,
	process: optional(process),
	root: object<OciSpec['root']>({ path: string, readonly: optional(boolean) }),
	hostname: optional(string),
	domainname: optional(string),
	mounts: optional(array(mount)),
	hooks: optional(
		object<OciHooks>({
			prestart: optional(hooks),
			createRuntime: optional(hooks),
			createContainer: optional(hooks),
			startContainer: optional(hooks),
			poststart: optional(hooks),
			poststop: optional(hooks),
		}),
	),
	linux: optional(linux),
	annotations: optional(record(string)),
});

/**
 * Checks the form of a config.json: every field known, of the right type, nothing that would be ignored.
 * INVALID_ARGUMENT names the field. What the values mean is checked when they are lowered to a plan.
 */
export function validateSpec(value: unknown): asserts value is OciSpec {
	refuseUnless(spec, value, (path, why) =>
		invalidArgument(`Invalid config.json: ${path || 'the whole'}: ${why}`),
	);
	if (!/^1\.\d+\.\d+/.test((value as OciSpec).ociVersion)) {
		throw invalidArgument(
			`Invalid config.json: ociVersion: ${(value as OciSpec).ociVersion} is not a 1.x version`,
		);
	}
}
