/** What a URL of the streaming server was made for. */

/** Which streams of a process the client asked for. */
export interface WantedStreams {
	readonly stdin: boolean;
	readonly stdout: boolean;
	readonly stderr: boolean;
	readonly tty: boolean;
}

export interface ExecStreamRequest extends WantedStreams {
	readonly kind: 'exec';
	readonly containerId: string;
	readonly command: readonly string[];
}

export interface AttachStreamRequest extends WantedStreams {
	readonly kind: 'attach';
	readonly containerId: string;
}

export interface PortForwardRequest {
	readonly kind: 'portforward';
	readonly sandboxId: string;
	/** Named by clients of the WebSocket channels only; all others say for each connection which one they want. */
	readonly ports: readonly number[];
}

export type StreamRequest = ExecStreamRequest | AttachStreamRequest | PortForwardRequest;
export type RequestKind = StreamRequest['kind'];
