/** A container: metadata that never changes, and a status that is replaced whole. Its state is derived. */
import type { ContainerConfig, ContainerState, LinuxContainerResourcesInit } from '#cri-api';
import type { ProcessIdentity } from '#runtime';
import type { Stage } from '../sandbox/types.ts';

export interface ContainerMetadata {
	readonly id: string;
	readonly sandboxId: string;
	readonly config: ContainerConfig;
	/** Image id (config digest), the reference asked for, and the digest reference given back as image_ref. */
	readonly image: { readonly id: string; readonly userReference: string; readonly ref: string };
	/** Images mounted as volumes, by their index in config.mounts. */
	readonly imageVolumes?: readonly { readonly index: number; readonly imageId: string }[] | undefined;
	readonly createdAtNs: bigint;
	/** STATE/containers/ID. */
	readonly folder: string;
	/** Absolute path of the log file; '' when there is none. */
	readonly logPath: string;
	/** OCI cgroup path. */
	readonly cgroupsPath: string;
	/** Signal name that StopContainer sends first: `SIGTERM`. */
	readonly stopSignal: string;
	/** The user that the process starts with, as ContainerStatus.user tells it. */
	readonly user: {
		readonly uid: number;
		readonly gid: number;
		readonly supplementalGroups: readonly number[];
	};
}

export interface ContainerStatus {
	readonly process: ProcessIdentity | undefined;
	/** Nanoseconds since 1970; undefined while it has not happened. */
	readonly startedAtNs: bigint | undefined;
	readonly finishedAtNs: bigint | undefined;
	readonly exitCode: number;
	/** `Completed`, `Error`, `OOMKilled`, `ContainerStatusUnknown`, `StartError`. */
	readonly reason: string;
	readonly message: string;
	readonly unknown: boolean;
	/** Limits in force now (after UpdateContainerResources). */
	readonly resources: LinuxContainerResourcesInit;
	readonly timeline: readonly Stage[];
	/** A removal has begun; every other call on it is refused. */
	readonly removing: boolean;
	/** It ended before whoever asked for its start can be taken to have heard of it. */
	readonly startUntold?: boolean | undefined;
}

export interface Container {
	readonly metadata: ContainerMetadata;
	readonly status: ContainerStatus;
}

/** Whether it has processes, or one that waits to be started. */
export function hasCgroup({ status }: Container): boolean {
	const state = stateOf(status);
	return state === 'CONTAINER_RUNNING' || state === 'CONTAINER_CREATED';
}

/** The state for people and metrics: `running`. */
export function stateName(status: ContainerStatus): string {
	return stateOf(status).slice('CONTAINER_'.length).toLowerCase();
}

/** The CRI state, derived from the timestamps. */
export function stateOf(status: ContainerStatus): ContainerState {
	if (status.unknown) return 'CONTAINER_UNKNOWN';
	if (status.finishedAtNs !== undefined) return 'CONTAINER_EXITED';
	if (status.startedAtNs !== undefined) return 'CONTAINER_RUNNING';
	return 'CONTAINER_CREATED';
}
