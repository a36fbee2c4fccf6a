import { readySandbox } from '../sandbox/ready-sandbox.ts';
import { checkPorts } from '../streaming/check-request.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

/** PortForward: a URL of the streaming server, at which ports of the sandbox are reached. */
export const portForward: UnaryHandler<'PortForward'> = async (daemon, request) => {
	const ports = checkPorts(request.port);
	requireId('pod_sandbox_id', request.pod_sandbox_id);
	const { metadata } = readySandbox(daemon, request.pod_sandbox_id, 'forward ports of');
	return { url: await daemon.streaming.urlFor({ kind: 'portforward', sandboxId: metadata.id, ports }) };
};
