import { unimplemented } from '#base/errors.ts';
import type { StreamRpcName, UnaryRpcName } from '#cri-api';
import type { StreamHandler, UnaryHandler } from './types.ts';

/** An RPC that Gantry does not have yet: answers UNIMPLEMENTED, with a sentence on what to do instead. */
export function unsupported<N extends UnaryRpcName>(name: N, instead: string): UnaryHandler<N> {
	return () => {
		throw unimplemented(`Gantry does not support ${name} yet: ${instead}`);
	};
}

/** The same for an RPC that answers with a stream. */
export function unsupportedStream<N extends StreamRpcName>(name: N, instead: string): StreamHandler<N> {
	// biome-ignore lint/correctness/useYield: it fails before its first message
	return async function* () {
		throw unimplemented(`Gantry does not support ${name} yet: ${instead}`);
	};
}
