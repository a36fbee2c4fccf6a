import { failedPrecondition, notFound, permissionDenied, type StatusError } from '#base/errors.ts';
import { ProtocolError } from '../shim/errors.ts';

/**
 * Why a program could not be executed, in the words that people search for. undefined when another step failed.
 * NOT_FOUND, PERMISSION_DENIED or FAILED_PRECONDITION.
 */
export function programError(what: string, program: string, error: unknown): StatusError | undefined {
	if (!(error instanceof ProtocolError)) return undefined;
	if (error.op === 'working_folder') return folderError(what, error);
	if (error.op !== 'exec') return undefined;
	const head = `Cannot ${what}: exec: ${JSON.stringify(program)}`;
	const options = { cause: error };
	switch (error.errno) {
		case 'ENOENT':
		case 'ENOTDIR':
			return program.includes('/')
				? notFound(
						`${head}: stat ${program}: no such file or directory (or its interpreter is missing)`,
						options,
					)
				: notFound(`${head}: executable file not found in $PATH`, options);
		case 'EISDIR':
			return permissionDenied(`${head}: is a directory`, options);
		case 'EACCES':
		case 'EPERM':
			return permissionDenied(`${head}: permission denied`, options);
		case 'ENOEXEC':
			return failedPrecondition(
				`${head}: exec format error (built for another processor, or a script without #!)`,
				options,
			);
		case 'E2BIG':
			return failedPrecondition(
				`${head}: argument list too long (arguments and environment together)`,
				options,
			);
		default:
			return failedPrecondition(`${head}: ${error.errno}`, options);
	}
}

function folderError(what: string, error: ProtocolError): StatusError {
	return failedPrecondition(
		`Cannot ${what}: the working directory cannot be entered: ${error.detail || error.errno}`,
		{ cause: error },
	);
}
