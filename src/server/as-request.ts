import { decodeMessage, encodeMessage, RPCS, type RpcName, type RpcShapes } from '#cri-api';

/** A request as it would have come from a client. Throws a TypeError naming the field when it is none. */
export function asRequest<N extends RpcName>(name: N, given: object): RpcShapes[N]['request'] {
	const { request } = RPCS[name];
	return decodeMessage(request, encodeMessage(request, given)) as RpcShapes[N]['request'];
}
