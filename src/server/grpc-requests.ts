import { loadSync } from '@grpc/proto-loader';
import { PROTO_OPTIONS, PROTO_PACKAGE, PROTO_PATH, RPCS, type RpcName, type RpcShapes } from '#cri-api';

interface Codec {
	requestSerialize(request: object): Buffer;
	requestDeserialize(bytes: Buffer): unknown;
}

let services: Readonly<Record<string, unknown>> | undefined;

/** A request as it would have come from a client. Throws a TypeError naming the field when it is none. */
export function asRequest<N extends RpcName>(name: N, given: object): RpcShapes[N]['request'] {
	services ??= loadSync(PROTO_PATH, PROTO_OPTIONS);
	const service = services[`${PROTO_PACKAGE}.${RPCS[name].service}`] as Readonly<Record<RpcName, Codec>>;
	const { requestSerialize, requestDeserialize } = service[name];
	return requestDeserialize(requestSerialize(given)) as RpcShapes[N]['request'];
}
