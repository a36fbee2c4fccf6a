import { failedPrecondition, notFound } from '#base/errors.ts';
import type { LinuxContainerResources, UpdatePodSandboxResourcesRequest } from '#cri-api';
import type { Daemon } from '../server/types.ts';
import { ociResources } from '../spec/with-resources.ts';

/**
 * UpdatePodSandboxResources: remembers what the pod as a whole may use. Nothing is written to a cgroup: the kubelet
 * owns that of the pod, and calls this after it has changed it (CRI). A message that is not set leaves what was there;
 * one that is set replaces it, for it has the sum of all containers.
 *
 * @throws NOT_FOUND, FAILED_PRECONDITION when the sandbox is not ready, INVALID_ARGUMENT for values that make no sense.
 */
export function updateSandboxResources(
	{ sandboxes, containers }: Pick<Daemon, 'sandboxes' | 'containers'>,
	{ pod_sandbox_id, overhead, resources }: UpdatePodSandboxResourcesRequest,
): void {
	const sandbox = sandboxes.find(pod_sandbox_id);
	if (sandbox === undefined) throw notFound(`No sandbox ${pod_sandbox_id}`);
	const { id } = sandbox.metadata;
	if (sandbox.status.state !== 'ready')
		throw failedPrecondition(`Cannot change the resources of sandbox ${id}: it is ${sandbox.status.state}`);
	const check = (message: LinuxContainerResources | null): void => {
		if (message !== null) ociResources(message, containers.host);
	};
	check(overhead);
	check(resources);
	sandboxes.update(id, {
		...(overhead !== null && { overhead }),
		...(resources !== null && { resources }),
	});
	sandboxes.trySave(id);
}
