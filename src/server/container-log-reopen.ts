import { reopenLog } from '../container/reopen-log.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

export const reopenContainerLog: UnaryHandler<'ReopenContainerLog'> = async (daemon, { container_id }) => {
	await reopenLog(daemon, requireId('container_id', container_id));
	return {};
};
