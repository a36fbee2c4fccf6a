import { stopContainer as stop } from '../container/stop-container.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

/** `timeout` is in seconds; 0 and less kill at once. */
export const stopContainer: UnaryHandler<'StopContainer'> = async (daemon, { container_id, timeout }) => {
	await stop(daemon, requireId('container_id', container_id), Math.max(0, Number(timeout)) * 1000);
	return {};
};
