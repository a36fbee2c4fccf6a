import type { RpcShapes, UnaryRpcName } from '#cri-api';
import type { CriClient } from '../server/grpc-client.ts';
import type { Io } from './io.ts';

/** Options that every command takes. */
export interface GlobalOptions {
	readonly address?: string;
	readonly config?: string;
	readonly root?: string;
	readonly state?: string;
	/** `key=value`, as gantryd takes them. */
	readonly set: readonly string[];
	readonly json: boolean;
	/** Seconds for one call. */
	readonly timeout?: number;
}

/** The folders of the daemon that we speak with. */
export interface Folders {
	readonly root: string;
	readonly state: string;
}

/** What a command works with. */
export interface Cli {
	readonly io: Io;
	readonly options: GlobalOptions;
	/** Aborts at Ctrl-C. */
	readonly signal: AbortSignal;
	/** Connects at the first use. */
	client(): Promise<CriClient>;
	/** One call with the global timeout and Ctrl-C. */
	call<N extends UnaryRpcName>(
		rpc: N,
		request: RpcShapes[N]['requestInit'],
		options?: { timeoutMs?: number },
	): Promise<RpcShapes[N]['response']>;
	/** Root and state folder, as the daemon tells them; from the configuration when it does not. */
	folders(): Promise<Folders>;
}

/** What a command returns: an exit code, or nothing for 0. */
export type CommandResult = Promise<number | undefined> | Promise<void>;
