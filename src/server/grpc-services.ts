/** Both CRI services as @grpc/grpc-js wants them, for the server and for the client. */
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { decodeMessage, encodeMessage, PROTO_PACKAGE, RPC_NAMES, RPCS, type RpcName } from '#cri-api';

export type ServiceName = (typeof RPCS)[RpcName]['service'];

/** The RPCs of one service, by their names. */
export function serviceOf(service: ServiceName): ServiceDefinition {
	const names = RPC_NAMES.filter((name) => RPCS[name].service === service);
	return Object.fromEntries(names.map((name) => [name, methodOf(name)]));
}

export function methodOf(name: RpcName): MethodDefinition<object, object> {
	const { service, serverStream, request, response } = RPCS[name];
	return {
		path: `/${PROTO_PACKAGE}.${service}/${name}`,
		requestStream: false,
		responseStream: serverStream,
		requestSerialize: (message) => encodeMessage(request, message),
		requestDeserialize: (bytes) => decodeMessage(request, bytes),
		responseSerialize: (message) => encodeMessage(response, message),
		responseDeserialize: (bytes) => decodeMessage(response, bytes),
	};
}
