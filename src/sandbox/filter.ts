import type { PodSandboxFilter } from '#cri-api';
import { selects } from '../server/label-selector.ts';
import type { Sandbox } from './types.ts';

/** Whether a sandbox is what the filter of a list asks for. An id may be a prefix. */
export function matchesSandbox(filter: PodSandboxFilter | null, { metadata, status }: Sandbox): boolean {
	if (filter === null) return true;
	if (!metadata.id.startsWith(filter.id)) return false;
	if (filter.state !== null && (filter.state.state === 'SANDBOX_READY') !== (status.state === 'ready'))
		return false;
	return selects(filter.label_selector, metadata.config.labels);
}
