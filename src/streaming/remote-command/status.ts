/** The outcome of a command as Kubernetes' clients read it: metav1.Status. */
import type { CommandClient } from './client.ts';

interface Cause {
	readonly reason?: string;
	readonly message: string;
}

export interface Status {
	readonly metadata: Record<string, never>;
	readonly status: 'Success' | 'Failure';
	readonly message?: string;
	readonly reason?: 'NonZeroExitCode' | 'InternalError';
	readonly details?: { readonly causes: readonly Cause[] };
	readonly code?: number;
}

/** A process that has ended. Clients take the code from the cause. */
export function exitStatus(exitCode: number): Status {
	if (exitCode === 0) return { metadata: {}, status: 'Success' };
	return {
		metadata: {},
		status: 'Failure',
		message: `command terminated with non-zero exit code: ${exitCode}`,
		reason: 'NonZeroExitCode',
		details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
	};
}

/** There was no process, or its end is not known. */
export function failureStatus(message: string): Status {
	return {
		metadata: {},
		status: 'Failure',
		message: `Internal error occurred: ${message}`,
		reason: 'InternalError',
		details: { causes: [{ message }] },
		code: 500,
	};
}

/** Tells the client, ends its streams, and closes the connection when it has got everything. */
export async function finish(client: CommandClient, status: Status): Promise<void> {
	const text = client.hasStructuredStatus ? JSON.stringify(status) : (status.message ?? '');
	await client.stdout?.end();
	await client.stderr?.end();
	if (text !== '') await client.error.write(Buffer.from(text)).catch(() => {});
	await client.error.end();
	client.connection.close();
}
