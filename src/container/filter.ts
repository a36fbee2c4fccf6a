import type { ContainerFilter } from '#cri-api';
import { selects } from '../server/label-selector.ts';
import { type Container, stateOf } from './types.ts';

/** Whether a container is what the filter of a list asks for. Ids may be prefixes. */
export function matchesContainer(filter: ContainerFilter | null, { metadata, status }: Container): boolean {
	if (filter === null) return true;
	if (!metadata.id.startsWith(filter.id) || !metadata.sandboxId.startsWith(filter.pod_sandbox_id))
		return false;
	if (filter.state !== null && filter.state.state !== stateOf(status)) return false;
	return selects(filter.label_selector, metadata.config.labels);
}
