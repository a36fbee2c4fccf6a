import { hostname as nodeName } from 'node:os';
import type { SandboxMetadata } from './types.ts';

/** The hostname of a pod: the request's; else the node's with the node's network, the short id with its own. */
export function sandboxHostname({
	id,
	config,
	hostNetwork,
}: Pick<SandboxMetadata, 'id' | 'config' | 'hostNetwork'>): string {
	if (config.hostname !== '') return config.hostname;
	return hostNetwork ? nodeName() : id.slice(0, 12);
}
