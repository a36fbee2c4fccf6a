/** A CRI client for tests: one method per RPC, `await cri.Version()`, `for await (… of cri.GetContainerEvents())`. */
import { RPCS, type RpcName, type RpcShapes, type StreamRpcName, type UnaryRpcName } from '#cri-api';
import { type ClientCallOptions, type CriClient, createCriClient } from '../../src/server/grpc-client.ts';

export type TestCri = {
	readonly [N in UnaryRpcName]: (
		request?: RpcShapes[N]['requestInit'],
		options?: ClientCallOptions,
	) => Promise<RpcShapes[N]['response']>;
} & {
	readonly [N in StreamRpcName]: (
		request?: RpcShapes[N]['requestInit'],
		options?: ClientCallOptions,
	) => AsyncIterable<RpcShapes[N]['response']>;
} & { readonly client: CriClient };

/** Connects lazily. A call without a deadline of its own gets one of 60 s, so that no test hangs. */
export function connectCri(address: string): TestCri {
	const client = createCriClient(address);
	const method =
		(name: RpcName) =>
		(request: object = {}, options: ClientCallOptions = {}) =>
			RPCS[name].serverStream
				? client.stream(name as StreamRpcName, request, options)
				: client.call(name as UnaryRpcName, request, { timeoutMs: 60_000, ...options });
	const methods = Object.fromEntries(Object.keys(RPCS).map((name) => [name, method(name as RpcName)]));
	return { ...methods, client } as unknown as TestCri;
}
