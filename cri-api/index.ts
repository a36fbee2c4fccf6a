/** The CRI v1 contract: its messages, their bytes, and the list of RPCs. Imports nothing of Gantry. */
export { decodeMessage, encodeMessage } from './codec.ts';
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

/** The proto package of both services. */
export const PROTO_PACKAGE = 'runtime.v1';
/** All RPC names. */
export const RPC_NAMES = Object.keys(RPCS) as readonly RpcName[];
