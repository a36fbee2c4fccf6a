/**
 * The part of the OCI runtime specification (1.2, config.md and config-linux.md) that Gantry understands.
 * Field names are the specification's own. What is not listed here is refused by `validate`, never ignored.
 */

export interface OciSpec {
	readonly ociVersion: string;
	readonly process?: OciProcess;
	readonly root: { readonly path: string; readonly readonly?: boolean };
	readonly hostname?: string;
	readonly domainname?: string;
	readonly mounts?: readonly OciMount[];
	readonly hooks?: OciHooks;
	readonly linux?: OciLinux;
	readonly annotations?: Readonly<Record<string, string>>;
}

export interface OciProcess {
	readonly terminal?: boolean;
	readonly consoleSize?: { readonly height: number; readonly width: number };
	readonly cwd: string;
	readonly env?: readonly string[];
	readonly args: readonly string[];
	readonly user: OciUser;
	readonly rlimits?: readonly OciRlimit[];
	readonly capabilities?: OciCapabilities;
	readonly noNewPrivileges?: boolean;
	readonly apparmorProfile?: string;
	readonly selinuxLabel?: string;
	readonly oomScoreAdj?: number;
	readonly ioPriority?: { readonly class: string; readonly priority: number };
	readonly scheduler?: OciScheduler;
}

export interface OciUser {
	readonly uid: number;
	readonly gid: number;
	readonly umask?: number;
	readonly additionalGids?: readonly number[];
}

/** `type` is `RLIMIT_NOFILE` and so on. A limit of 2^64-1 (RLIM_INFINITY) does not fit a number: use -1. */
export interface OciRlimit {
	readonly type: string;
	readonly soft: number;
	readonly hard: number;
}

export interface OciCapabilities {
	readonly bounding?: readonly string[];
	readonly effective?: readonly string[];
	readonly permitted?: readonly string[];
	readonly inheritable?: readonly string[];
	readonly ambient?: readonly string[];
}

export interface OciScheduler {
	readonly policy: string;
	readonly nice?: number;
	readonly priority?: number;
	readonly flags?: readonly string[];
	readonly runtime?: number;
	readonly deadline?: number;
	readonly period?: number;
}

/** `type` bind is also said by the options `bind` or `rbind`. */
export interface OciMount {
	readonly destination: string;
	readonly type?: string;
	readonly source?: string;
	readonly options?: readonly string[];
	readonly uidMappings?: readonly OciIdMapping[];
	readonly gidMappings?: readonly OciIdMapping[];
}

export interface OciIdMapping {
	readonly containerID: number;
	readonly hostID: number;
	readonly size: number;
}

/** `timeout` is in seconds. */
export interface OciHook {
	readonly path: string;
	readonly args?: readonly string[];
	readonly env?: readonly string[];
	readonly timeout?: number;
}

export interface OciHooks {
	readonly prestart?: readonly OciHook[];
	readonly createRuntime?: readonly OciHook[];
	readonly createContainer?: readonly OciHook[];
	readonly startContainer?: readonly OciHook[];
	readonly poststart?: readonly OciHook[];
	readonly poststop?: readonly OciHook[];
}

export type OciNamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';

export interface OciLinux {
	readonly namespaces?: readonly { readonly type: OciNamespaceType; readonly path?: string }[];
	readonly uidMappings?: readonly OciIdMapping[];
	readonly gidMappings?: readonly OciIdMapping[];
	readonly devices?: readonly OciDevice[];
	readonly cgroupsPath?: string;
	readonly resources?: OciResources;
	readonly rootfsPropagation?:
		| 'shared'
		| 'slave'
		| 'private'
		| 'unbindable'
		| 'rshared'
		| 'rslave'
		| 'rprivate';
	readonly seccomp?: OciSeccomp;
	readonly sysctl?: Readonly<Record<string, string>>;
	readonly maskedPaths?: readonly string[];
	readonly readonlyPaths?: readonly string[];
	readonly mountLabel?: string;
	readonly personality?: { readonly domain: string; readonly flags?: readonly string[] };
}

export interface OciDevice {
	readonly type: 'c' | 'b' | 'u' | 'p';
	readonly path: string;
	readonly major?: number;
	readonly minor?: number;
	readonly fileMode?: number;
	readonly uid?: number;
	readonly gid?: number;
}

export interface OciDeviceRule {
	readonly allow: boolean;
	readonly type?: 'a' | 'b' | 'c';
	readonly major?: number;
	readonly minor?: number;
	readonly access?: string;
}

/** Limits, in the specification's units: bytes, microseconds. -1 means unlimited. */
export interface OciResources {
	readonly devices?: readonly OciDeviceRule[];
	readonly memory?: {
		readonly limit?: number;
		readonly reservation?: number;
		readonly swap?: number;
		readonly swappiness?: number;
		readonly disableOOMKiller?: boolean;
	};
	readonly cpu?: {
		readonly shares?: number;
		readonly quota?: number;
		readonly burst?: number;
		readonly period?: number;
		readonly realtimeRuntime?: number;
		readonly realtimePeriod?: number;
		readonly cpus?: string;
		readonly mems?: string;
		readonly idle?: number;
	};
	readonly pids?: { readonly limit: number };
	readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
	readonly blockIO?: { readonly weight?: number };
	readonly unified?: Readonly<Record<string, string>>;
}

/** The OCI (and Docker) profile form. */
export interface OciSeccomp {
	readonly defaultAction: string;
	readonly defaultErrnoRet?: number;
	readonly architectures?: readonly string[];
	readonly flags?: readonly string[];
	readonly syscalls?: readonly {
		readonly names: readonly string[];
		readonly action: string;
		readonly errnoRet?: number;
		readonly args?: readonly {
			readonly index: number;
			readonly value: number;
			readonly valueTwo?: number;
			readonly op: string;
		}[];
	}[];
}
