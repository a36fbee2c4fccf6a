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

/** A machine that is emulated (hack/test-v2) takes its time. */
const CALL_TIMEOUT_MS = Number(process.env.TEST_CALL_TIMEOUT_MS ?? 60_000);

/** Connects lazily. A call without a deadline of its own gets one of 60 s, so that no test hangs. */
export function connectCri(address: string): TestCri {
	const client = createCriClient(address);
	const method =
		(name: RpcName) =>
		(request: object = {}, options: ClientCallOptions = {}) =>
			RPCS[name].serverStream
				? client.stream(name as StreamRpcName, request, options)
				: client.call(name as UnaryRpcName, request, { timeoutMs: CALL_TIMEOUT_MS, ...options });
	const methods = Object.fromEntries(Object.keys(RPCS).map((name) => [name, method(name as RpcName)]));
	return { ...methods, client } as unknown as TestCri;
}
