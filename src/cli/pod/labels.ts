/** The labels that the kubelet gives, so that crictl and others show our pods as they show those of a cluster. */
export const LABELS = {
	podName: 'io.kubernetes.pod.name',
	podNamespace: 'io.kubernetes.pod.namespace',
	podUid: 'io.kubernetes.pod.uid',
	containerName: 'io.kubernetes.container.name',
} as const;

export const ANNOTATIONS = {
	/** Seconds, on every container: what `gantry rm` waits before it kills. */
	gracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
	/** `init`, `sidecar` or `main`. */
	kind: 'gantry.container-kind',
} as const;
