/** What the error channel says at the end: metav1.Status, as Kubernetes' servers write it. */
import { failedPrecondition, internal } from '#base/errors.ts';

export interface Outcome {
	readonly kind: 'ended';
	readonly exitCode: number;
}

interface Status {
	readonly status?: string;
	readonly reason?: string;
	readonly message?: string;
	readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

/** The exit code; an error when there was no process, or how it ended is not known. */
export function readStatus(text: string): Outcome {
	const { status, reason, message, details } = parse(text);
	if (status === 'Success') return { kind: 'ended', exitCode: 0 };
	const code = details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message;
	if (reason === 'NonZeroExitCode' && code !== undefined && /^\d+$/.test(code))
		return { kind: 'ended', exitCode: Number(code) };
	throw failedPrecondition(
		(message ?? text).replace(/^Internal error occurred: (error [a-z ]+ container: )?/, ''),
	);
}

function parse(text: string): Status {
	try {
		return JSON.parse(text) as Status;
	} catch (error) {
		throw internal(`The daemon told the end of the process in words that are no Status: ${text}`, {
			cause: error,
		});
	}
}
