import type { ContainerConfig, LinuxContainerSecurityContext, PodSandboxConfig } from '#cri-api';
import type { ImageConfig } from '#images';
import type { OciDevice, OciHooks, OciIdMapping, OciMount, OciSeccomp } from '#runtime';
import type { Config } from '../config/types.ts';
import type { HostFacts } from './host-facts.ts';

/** A user as the process gets it: looked up in the image, nothing left to decide. */
export interface ResolvedUser {
	readonly uid: number;
	readonly gid: number;
	/** All groups of the process, the primary one first. */
	readonly groups: readonly number[];
	/** Home folder by the image's passwd; '/' when it names none. */
	readonly home: string;
}

/** A bind mount whose source exists and has no symlinks left. */
export interface ResolvedMount {
	readonly destination: string;
	readonly source: string;
	readonly options: readonly string[];
	readonly uidMappings: readonly OciIdMapping[];
	readonly gidMappings: readonly OciIdMapping[];
}

/** An image that is mounted as a volume, read-only. */
export interface ImageMount {
	readonly destination: string;
	/** Its layers, topmost first. */
	readonly lowers: readonly string[];
	/** The folder of it that is wanted; '' for all. */
	readonly subPath: string;
	readonly options: readonly string[];
}

/** A device node of the host. */
export interface ResolvedDevice extends OciDevice {
	readonly type: 'c' | 'b';
	readonly major: number;
	readonly minor: number;
	/** Where the node is on the host. */
	readonly hostPath: string;
	/** Of r, w and m. */
	readonly access: string;
}

/** What CDI devices bring beside nodes and groups. */
export interface DeviceEdits {
	/** NAME=value; beats what all others say. */
	readonly env: readonly string[];
	/** Take the place of others at the same destination. */
	readonly mounts: readonly OciMount[];
	readonly hooks: OciHooks;
}

/** The id maps of a pod with a user namespace of its own. */
export interface UserNamespaceMaps {
	readonly uids: readonly OciIdMapping[];
	readonly gids: readonly OciIdMapping[];
}

/** SELinux labels of a container or sandbox. */
export interface SeLinuxLabels {
	/** Of its processes. */
	readonly process: string;
	/** Of the files of its root and other file systems made for it; undefined: the policy's for what they are. */
	readonly mount: string | undefined;
}

/** The namespaces of a pod that containers take part in. */
export interface PodNamespaces {
	readonly hostNetwork: boolean;
	readonly hostIpc: boolean;
	readonly hostPid: boolean;
	readonly user: UserNamespaceMaps | undefined;
}

/** Where the process ids of a container live: its own, or those of the sandbox, the node, another container. */
export type PidNamespace = { readonly mode: 'own' | 'node' } | { readonly mode: 'join'; readonly of: string };

/** Everything a container's spec follows from. */
export interface ContainerSpecInput {
	readonly id: string;
	readonly config: ContainerConfig;
	readonly security: LinuxContainerSecurityContext | undefined;
	readonly privileged: boolean;
	readonly image: ImageConfig;
	readonly user: ResolvedUser;
	readonly args: readonly string[];
	readonly mounts: readonly ResolvedMount[];
	readonly images: readonly ImageMount[];
	/** Destination and source of the image's anonymous volumes. */
	readonly volumes: readonly { readonly destination: string; readonly source: string }[];
	readonly devices: readonly ResolvedDevice[];
	readonly edits: DeviceEdits;
	readonly seccomp: OciSeccomp | undefined;
	readonly appArmorProfile: string | undefined;
	readonly seLinux: SeLinuxLabels | undefined;
	readonly pid: PidNamespace;
	readonly sandbox: {
		readonly id: string;
		/** Has resolv.conf, hosts and hostname. */
		readonly filesFolder: string;
		readonly hostname: string;
		readonly config: PodSandboxConfig;
		readonly namespaces: PodNamespaces;
		/** Pid of the sandbox's process, so that the bundle says which namespaces it joins. */
		readonly pid: number;
	};
	readonly cgroupsPath: string;
	readonly host: HostFacts;
	readonly defaults: Config['runtime'];
}

/** Everything a sandbox's spec follows from. */
export interface SandboxSpecInput {
	readonly id: string;
	readonly config: PodSandboxConfig;
	/** Folder with the `pause` program. */
	readonly rootPath: string;
	readonly hostname: string;
	readonly namespaces: PodNamespaces;
	readonly user: Pick<ResolvedUser, 'uid' | 'gid' | 'groups'>;
	readonly privileged: boolean;
	readonly sysctls: Readonly<Record<string, string>>;
	readonly seccomp: OciSeccomp | undefined;
	readonly appArmorProfile: string | undefined;
	readonly seLinux: SeLinuxLabels | undefined;
	readonly hooks: Pick<OciHooks, 'createRuntime' | 'poststop'>;
	readonly cgroupsPath: string;
	readonly host: HostFacts;
}
