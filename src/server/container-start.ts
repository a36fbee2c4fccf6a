import { startContainer as start } from '../container/start-container.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

export const startContainer: UnaryHandler<'StartContainer'> = async (daemon, { container_id }) => {
	await start(daemon, requireId('container_id', container_id));
	return {};
};
