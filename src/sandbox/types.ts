/** A pod sandbox: metadata that never changes, and a status that is replaced whole. */
import type { LinuxContainerResourcesInit, PodSandboxConfig } from '#cri-api';
import type { ProcessIdentity } from '#runtime';
import type { NetworkResult } from '../network/types.ts';

export interface SandboxMetadata {
	readonly id: string;
	/** The request's config, as it came (labels and annotations are given back untouched). */
	readonly config: PodSandboxConfig;
	readonly runtimeHandler: string;
	/** Absolute OCI cgroup path of the pod: config.linux.cgroup_parent, or the instance's default. */
	readonly cgroupParent: string;
	/** Cgroups of the parent's path that were not there before, deepest first: removed with the pod. */
	readonly madeCgroups: readonly string[];
	readonly createdAtNs: bigint;
	/** STATE/sandboxes/ID. */
	readonly folder: string;
	/** Runs with the node's network: no provider is asked. */
	readonly hostNetwork: boolean;
}

/** One stage of a start: how long it took, for `inspect --timeline` and the metrics. */
export interface Stage {
	readonly name: string;
	/** Microseconds since the call began. */
	readonly startedUs: number;
	readonly elapsedUs: number;
}

export interface SandboxStatus {
	/** ready: the pause process runs. notready: stopped or lost. unknown: its record cannot be read; it can only be removed. */
	readonly state: 'ready' | 'notready' | 'unknown';
	readonly shim: ProcessIdentity | undefined;
	readonly pause: ProcessIdentity | undefined;
	readonly network: NetworkResult | undefined;
	/** Why it is not ready, for people. */
	readonly reason: string;
	readonly message: string;
	/** The network is released (idempotent StopPodSandbox). */
	readonly networkReleased: boolean;
	readonly timeline: readonly Stage[];
	/** What UpdatePodSandboxResources has said since; undefined: what the config says. */
	readonly overhead?: LinuxContainerResourcesInit | undefined;
	readonly resources?: LinuxContainerResourcesInit | undefined;
}

export interface Sandbox {
	readonly metadata: SandboxMetadata;
	readonly status: SandboxStatus;
}
