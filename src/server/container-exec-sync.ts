import { execSync as run } from '../container/exec-sync.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

export const execSync: UnaryHandler<'ExecSync'> = async (daemon, request, call) => {
	requireId('container_id', request.container_id);
	const { exitCode, stdout, stderr } = await run(daemon, request, call.signal);
	return { exit_code: exitCode, stdout, stderr };
};
