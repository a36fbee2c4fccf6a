/** The contract as another program reads it: api.proto, by @grpc/proto-loader. */
import { fileURLToPath } from 'node:url';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import { PROTO_PACKAGE, RPCS, type RpcName } from '#cri-api';

const PROTO_PATH = fileURLToPath(new URL('../../cri-api/api.proto', import.meta.url));
/** Decode every field, keep the contract's names, enums as their names, 64-bit integers as decimal text. */
const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: false } as const;

const loaded = loadSync(PROTO_PATH, OPTIONS);

/** What stands in the proto file under this name: a message, an enum, a service. */
export const loadedAs = (name: string): unknown => loaded[`${PROTO_PACKAGE}.${name}`];

/** An RPC with its two messages' codecs. */
export function loadedMethod(name: RpcName): MethodDefinition<object, object> {
	const service = loadedAs(RPCS[name].service) as Readonly<Record<string, MethodDefinition<object, object>>>;
	const method = service[name];
	if (method === undefined) throw new Error(`api.proto has no ${name}`);
	return method;
}
