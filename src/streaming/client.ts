/** What exec, attach and port-forward see of a client, whatever protocol it speaks. */

/** One of the streams within a client's connection: bytes in both directions. */
export interface ClientStream {
	/** Ends at the client's half-close; fails with CANCELLED when the client has left. For one reader. */
	readonly input: AsyncIterable<Buffer>;
	/** Settles when `data` is needed no more, and there is room for more. CANCELLED when the client has left. */
	write(data: Uint8Array): Promise<void>;
	/** Half-close: nothing more comes from us. Never fails. */
	end(): Promise<void>;
	/** Ends both directions at once, as far as the protocol can; what still comes is dropped. */
	reset(): void;
}

/** A connection that has been upgraded. */
export interface ClientConnection {
	/** As it was agreed on: `v4.channel.k8s.io`. */
	readonly protocol: string;
	/** Settles with the reason when the client has left or the connection is closed. */
	readonly closed: Promise<string>;
	/** Bytes of streams, in both directions: what the idle timeout looks at. */
	readonly movedBytes: number;
	/** Everything that was written still reaches the client; what comes from it is dropped. */
	close(): void;
	/** Ends it at once. */
	destroy(reason: string): void;
}
