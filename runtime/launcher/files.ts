import type { FsOp } from '../types.ts';

/** Well below MAX_FRAME_BYTES; a launcher's job holds one batch at a time. */
export const BATCH_BYTES = 2 * 1024 * 1024;
/** The numbers of an fs_op, and the lengths and NULs of its strings. */
const FIXED_BYTES = 64;

/** Cuts a list of file operations into parts that fit a frame. */
export function* batches(ops: readonly FsOp[], limit = BATCH_BYTES): Generator<readonly FsOp[]> {
	let batch: FsOp[] = [];
	let size = 0;
	for (const op of ops) {
		const bytes = FIXED_BYTES + Buffer.byteLength(op.path) + Buffer.byteLength(op.name) + op.value.length;
		if (batch.length > 0 && size + bytes > limit) {
			yield batch;
			[batch, size] = [[], 0];
		}
		batch.push(op);
		size += bytes;
	}
	if (batch.length > 0) yield batch;
}
