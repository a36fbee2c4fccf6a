import { perObject } from '#base/per-object.ts';
import { inTurns } from '#base/turns.ts';
import type { RpcName } from '#cri-api';

type Serialize = (message: object) => Buffer;
type List = Readonly<Record<string, readonly object[]>>;

/** Answers that are a list and nothing else, and the field that has their entries. */
const LISTS: Partial<Record<RpcName, string>> = {
	ListContainers: 'containers',
	ListPodSandbox: 'items',
	ListImages: 'images',
	ListContainerStats: 'stats',
	ListPodSandboxStats: 'stats',
	ListPodSandboxMetrics: 'pod_metrics',
	StreamContainers: 'containers',
	StreamPodSandboxes: 'pod_sandboxes',
	StreamImages: 'images',
	StreamContainerStats: 'container_stats',
	StreamPodSandboxStats: 'pod_sandbox_stats',
	StreamPodSandboxMetrics: 'pod_sandbox_metrics',
};

/** Far below what clients accept (a kubelet: 16 MiB), and much more than the headers around it cost. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Writes the messages of one list, entry by entry: a message that has only a repeated field is the concatenation of
 * messages with one entry each (Protocol Buffers, Encoding, "Message merging"). The bytes of an entry are kept as long
 * as the entry, so those that are the same objects in every list are written once.
 */
export interface ListWriter {
	serialize(message: object): Buffer;
	/** Writes the entries of a message that is about to be serialized, in turns, however many they are. */
	prepare(message: object): Promise<void>;
	/** The message as several, none of them much larger than 256 KiB unless a single entry is. None for an empty list. */
	chunks(message: object): AsyncIterable<object>;
}

/** `serialize`: of the answers of this RPC. undefined when they are not lists. */
export function listWriter(name: RpcName, serialize: Serialize): ListWriter | undefined {
	const field = LISTS[name];
	if (field === undefined) return undefined;
	const bytesOf = perObject((entry: object) => serialize({ [field]: [entry] }));
	const entriesOf = (message: object): readonly object[] => (message as List)[field] ?? [];
	const prepare = async (message: object): Promise<void> => {
		await inTurns(entriesOf(message), bytesOf);
	};
	return {
		serialize: (message) => Buffer.concat(entriesOf(message).map(bytesOf)),
		prepare,
		async *chunks(message) {
			await prepare(message);
			let chunk: object[] = [];
			let bytes = 0;
			for (const entry of entriesOf(message)) {
				const { length } = bytesOf(entry);
				if (chunk.length > 0 && bytes + length > CHUNK_BYTES) {
					yield { [field]: chunk };
					chunk = [];
					bytes = 0;
				}
				chunk.push(entry);
				bytes += length;
			}
			if (chunk.length > 0) yield { [field]: chunk };
		},
	};
}
