import type { ClientConnection, ClientStream } from '../client.ts';

/** A client of exec or attach with its streams: those that were asked for, and the error channel. */
export interface CommandClient {
	readonly connection: ClientConnection;
	readonly stdin: ClientStream | undefined;
	readonly stdout: ClientStream | undefined;
	readonly stderr: ClientStream | undefined;
	/** Sizes of the terminal come on it. */
	readonly resize: ClientStream | undefined;
	/** Where the outcome is told: since v4 as a metav1.Status, before as text, which is empty when all went well. */
	readonly error: ClientStream;
	readonly hasStructuredStatus: boolean;
}

/** How long a client may take to open what it asked for. */
export const STREAM_CREATION_MS = 30_000;
