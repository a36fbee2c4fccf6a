import { posix } from 'node:path';
import { invalidArgument } from '#base/errors.ts';

/**
 * The absolute path of a container's log; '' when the pod has no log folder or the container no log. CRI: log_path
 * is relative to the pod's log_directory. INVALID_ARGUMENT when it leaves that folder.
 */
export function logPathOf(logDirectory: string, logPath: string): string {
	if (logPath.includes('\0')) throw invalidArgument('log_path has a NUL character in it');
	if (logPath.startsWith('/')) throw leaves(logPath);
	if (logPath === '' || logDirectory === '') return '';
	const folder = posix.normalize(logDirectory).replace(/\/$/, '');
	const path = posix.join(folder, logPath);
	if (!path.startsWith(`${folder}/`) || path.endsWith('/')) throw leaves(logPath);
	return path;
}

function leaves(logPath: string): Error {
	return invalidArgument(
		`log_path ${JSON.stringify(logPath)} is not the path of a file below the pod's log_directory`,
	);
}
