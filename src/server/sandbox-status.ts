import { notFound } from '#base/errors.ts';
import { containerStatusToCri } from '../container/to-cri.ts';
import { nowNs } from '../sandbox/clock.ts';
import { sandboxInfo } from '../sandbox/info.ts';
import { sandboxStatusToCri } from '../sandbox/to-cri.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';
import { verboseInfo } from './verbose-info.ts';

export const podSandboxStatus: UnaryHandler<'PodSandboxStatus'> = async (daemon, request) => {
	const id = requireId('pod_sandbox_id', request.pod_sandbox_id);
	const sandbox = daemon.sandboxes.find(id);
	if (sandbox === undefined) throw notFound(`No sandbox ${id}`);
	return {
		status: sandboxStatusToCri(sandbox),
		containers_statuses: daemon.containers.ofSandbox(sandbox.metadata.id).map(containerStatusToCri),
		timestamp: nowNs(),
		info: request.verbose ? verboseInfo(await sandboxInfo(daemon, sandbox)) : {},
	};
};
