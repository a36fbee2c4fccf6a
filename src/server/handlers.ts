/** Every RPC of the contract and the function that answers it. */
import { attachContainer } from './container-attach.ts';
import { checkpointContainer } from './container-checkpoint.ts';
import { createContainer } from './container-create.ts';
import { execContainer } from './container-exec.ts';
import { execSync } from './container-exec-sync.ts';
import { listContainers } from './container-list.ts';
import { reopenContainerLog } from './container-log-reopen.ts';
import { removeContainer } from './container-remove.ts';
import { startContainer } from './container-start.ts';
import { containerStats } from './container-stats.ts';
import { listContainerStats } from './container-stats-list.ts';
import { streamContainerStats } from './container-stats-stream.ts';
import { containerStatus } from './container-status.ts';
import { stopContainer } from './container-stop.ts';
import { streamContainers } from './container-stream.ts';
import { updateContainerResources } from './container-update.ts';
import { getContainerEvents } from './events-get.ts';
import { imageFsInfo } from './image-fs-info.ts';
import { listImages } from './image-list.ts';
import { pullImage } from './image-pull.ts';
import { removeImage } from './image-remove.ts';
import { imageStatus } from './image-status.ts';
import { streamImages } from './image-stream.ts';
import { listMetricDescriptors } from './metric-descriptors-list.ts';
import { portForward } from './port-forward.ts';
import { runtimeConfig } from './runtime-config.ts';
import { updateRuntimeConfig } from './runtime-config-update.ts';
import { checkpointPod } from './sandbox-checkpoint.ts';
import { listPodSandbox } from './sandbox-list.ts';
import { listPodSandboxMetrics } from './sandbox-metrics-list.ts';
import { streamPodSandboxMetrics } from './sandbox-metrics-stream.ts';
import { removePodSandbox } from './sandbox-remove.ts';
import { restorePod } from './sandbox-restore.ts';
import { runPodSandbox } from './sandbox-run.ts';
import { podSandboxStats } from './sandbox-stats.ts';
import { listPodSandboxStats } from './sandbox-stats-list.ts';
import { streamPodSandboxStats } from './sandbox-stats-stream.ts';
import { podSandboxStatus } from './sandbox-status.ts';
import { stopPodSandbox } from './sandbox-stop.ts';
import { streamPodSandboxes } from './sandbox-stream.ts';
import { updatePodSandboxResources } from './sandbox-update.ts';
import { status } from './status.ts';
import type { Handlers } from './types.ts';
import { version } from './version.ts';

export const handlers = {
	Version: version,
	Status: status,
	RuntimeConfig: runtimeConfig,
	UpdateRuntimeConfig: updateRuntimeConfig,

	RunPodSandbox: runPodSandbox,
	StopPodSandbox: stopPodSandbox,
	RemovePodSandbox: removePodSandbox,
	PodSandboxStatus: podSandboxStatus,
	ListPodSandbox: listPodSandbox,
	StreamPodSandboxes: streamPodSandboxes,
	UpdatePodSandboxResources: updatePodSandboxResources,
	PodSandboxStats: podSandboxStats,
	ListPodSandboxStats: listPodSandboxStats,
	StreamPodSandboxStats: streamPodSandboxStats,
	CheckpointPod: checkpointPod,
	RestorePod: restorePod,
	PortForward: portForward,

	CreateContainer: createContainer,
	StartContainer: startContainer,
	StopContainer: stopContainer,
	RemoveContainer: removeContainer,
	ContainerStatus: containerStatus,
	ListContainers: listContainers,
	StreamContainers: streamContainers,
	UpdateContainerResources: updateContainerResources,
	ReopenContainerLog: reopenContainerLog,
	ExecSync: execSync,
	Exec: execContainer,
	Attach: attachContainer,
	ContainerStats: containerStats,
	ListContainerStats: listContainerStats,
	StreamContainerStats: streamContainerStats,
	CheckpointContainer: checkpointContainer,
	GetContainerEvents: getContainerEvents,

	ListMetricDescriptors: listMetricDescriptors,
	ListPodSandboxMetrics: listPodSandboxMetrics,
	StreamPodSandboxMetrics: streamPodSandboxMetrics,

	ListImages: listImages,
	StreamImages: streamImages,
	ImageStatus: imageStatus,
	PullImage: pullImage,
	RemoveImage: removeImage,
	ImageFsInfo: imageFsInfo,
} satisfies Handlers;
