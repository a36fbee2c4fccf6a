/** The CRI v1 contract: the proto file, its types, and the list of RPCs. Imports nothing of Gantry. */
import { fileURLToPath } from 'node:url';

export { RPCS, type RpcShapes } from './rpcs.ts';
export type * from './types.ts';

import { RPCS } from './rpcs.ts';

/** Method name of an RPC: `RunPodSandbox`. */
export type RpcName = keyof typeof RPCS;
/** RPCs that answer with a stream. */
export type StreamRpcName = {
	[N in RpcName]: (typeof RPCS)[N]['serverStream'] extends true ? N : never;
}[RpcName];
/** RPCs that answer once. */
export type UnaryRpcName = Exclude<RpcName, StreamRpcName>;

/** Path of the generated proto file. */
export const PROTO_PATH = fileURLToPath(new URL('api.proto', import.meta.url));
/** The proto package and the two services. */
export const PROTO_PACKAGE = 'runtime.v1';
/** Decode every field, keep the contract's names, enums as their names, 64-bit integers as decimal text. */
export const PROTO_OPTIONS = {
	keepCase: true,
	longs: String,
	enums: String,
	defaults: true,
	oneofs: false,
} as const;
/** All RPC names. */
export const RPC_NAMES = Object.keys(RPCS) as readonly RpcName[];
