import { unimplemented } from '#base/errors.ts';
import type { UnaryRpcName } from '#cri-api';
import type { UnaryHandler } from './types.ts';

/** An RPC that Gantry does not have yet: answers UNIMPLEMENTED, with a sentence on what to do instead. */
export function unsupported<N extends UnaryRpcName>(name: N, instead: string): UnaryHandler<N> {
	return () => {
		throw unimplemented(`Gantry does not support ${name} yet: ${instead}`);
	};
}
