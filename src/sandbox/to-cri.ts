import { isIP } from 'node:net';
import type { PodSandboxInit, PodSandboxStatusInit } from '#cri-api';
import type { Sandbox } from './types.ts';

/** The entry of ListPodSandbox. */
export function sandboxToCri({ metadata, status }: Sandbox): PodSandboxInit {
	return {
		id: metadata.id,
		metadata: metadata.config.metadata,
		state: status.state === 'ready' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
		created_at: metadata.createdAtNs,
		labels: metadata.config.labels,
		annotations: metadata.config.annotations,
		runtime_handler: metadata.runtimeHandler,
	};
}

/** The status of PodSandboxStatus and of events. */
export function sandboxStatusToCri(sandbox: Sandbox): PodSandboxStatusInit {
	const { metadata, status } = sandbox;
	const [ip = '', ...additional] = status.state === 'ready' ? (status.network?.ips ?? []).map(plainIp) : [];
	return {
		...sandboxToCri(sandbox),
		// With the node's network the addresses are the node's: the kubelet fills them in.
		network: { ip, additional_ips: additional.map((address) => ({ ip: address })) },
		linux: {
			namespaces: {
				options: metadata.config.linux?.security_context?.namespace_options ?? {
					network: 'POD',
					pid: 'POD',
					ipc: 'POD',
				},
			},
		},
	};
}

/** Without a prefix length. */
function plainIp(address: string): string {
	const [ip = ''] = address.split('/');
	return isIP(ip) === 0 ? address : ip;
}
