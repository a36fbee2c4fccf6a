/** The effective configuration, checked and complete. Every leaf is one option of gantry.toml (`table.key`). */
import type { LogLevel } from '#base/log.ts';

export interface Config {
	/** Name of this instance, `[a-z][a-z0-9-]{0,8}`; everything that we name on the machine derives from it. Default `gantry`. */
	readonly instance: string;
	/** unix:// address of the CRI socket. */
	readonly listen: string;
	/** Persistent folder (images, writable layers). */
	readonly root: string;
	/** Folder on tmpfs (records, sockets). */
	readonly state: string;
	readonly log: { readonly level: LogLevel };
	readonly socket: { readonly mode: number; readonly uid: number; readonly gid: number };
	readonly images: {
		readonly registriesConf: string;
		readonly maxConcurrentLayers: number;
		readonly workers: number;
		readonly stallTimeoutSeconds: number;
		/** Names or globs reported as pinned. */
		readonly pinned: readonly string[];
		/** Registries (host[:port]) spoken to over HTTP or without verifying TLS. */
		readonly insecure: readonly string[];
	};
	readonly network: {
		readonly provider: 'auto' | 'builtin' | 'cni';
		readonly subnets: readonly string[];
		readonly cniConfDir: string;
		readonly cniBinDirs: readonly string[];
		readonly cniTimeoutSeconds: number;
	};
	/** '' : off. `127.0.0.1:9090` otherwise. */
	readonly metrics: { readonly address: string };
	readonly streaming: {
		readonly address: string;
		/** 0: never. */
		readonly idleTimeoutSeconds: number;
		readonly tokenTtlSeconds: number;
		/** PEM files; '' : no TLS. Both or none. */
		readonly tlsCertificate: string;
		readonly tlsKey: string;
	};
	readonly cgroup: { readonly manager: 'cgroupfs' };
	readonly runtime: {
		readonly seccompProfile: string;
		readonly apparmorProfile: string;
		/** Folder of gantry-shim, gantry-hook and pause. */
		readonly nativeFolder: string;
		readonly cdiSpecDirs: readonly string[];
		readonly privilegedWithoutHostDevices: boolean;
		readonly enableUnprivilegedPorts: boolean;
		readonly enableUnprivilegedIcmp: boolean;
		readonly defaultCapabilities: readonly string[];
		/** Soft and hard RLIMIT_NOFILE and others: `nofile=1024:524288`. */
		readonly defaultUlimits: readonly string[];
		readonly defaultSysctls: Readonly<Record<string, string>>;
		readonly defaultEnv: readonly string[];
		readonly logLineMaxBytes: number;
		readonly execOutputMaxBytes: number;
		readonly createTimeoutSeconds: number;
		/** '': in the usual places. */
		readonly criuPath: string;
		readonly checkpointTimeoutSeconds: number;
	};
	readonly grpc: { readonly maxMessageBytes: number };
}
