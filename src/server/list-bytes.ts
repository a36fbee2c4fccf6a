import { perObject } from '#base/per-object.ts';
import type { RpcName } from '#cri-api';

type Serialize = (message: object) => Buffer;

/** Lists that are asked for every second, and the field that has their entries, which are the same objects each time. */
const LISTS: Partial<Record<RpcName, string>> = { ListContainers: 'containers', ListPodSandbox: 'items' };

/**
 * Of such a list the bytes of each entry are kept: a message that has only a repeated field is the concatenation of
 * messages with one entry each (Protocol Buffers, Encoding, "Message merging").
 */
export function keepingEntries(name: RpcName, serialize: Serialize): Serialize {
	const field = LISTS[name];
	if (field === undefined) return serialize;
	const bytesOf = perObject((entry: object) => serialize({ [field]: [entry] }));
	return (message) =>
		Buffer.concat((message as Record<string, readonly object[]>)[field]?.map(bytesOf) ?? []);
}
