import { removeContainer as remove } from '../container/remove-container.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

export const removeContainer: UnaryHandler<'RemoveContainer'> = async (daemon, { container_id }) => {
	await remove(daemon, requireId('container_id', container_id));
	return {};
};
