import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
	decodePlan,
	encodeFrame,
	encodePlan,
	type Frame,
	FrameDecoder,
	type MessageName,
	type OpName,
} from './codec.ts';
import { type Fields, type FieldType, MESSAGES, OPS, STRUCTS } from './schema.ts';

/** A value of any type of the table, different at every call. */
let counter = 0;
function sample(type: FieldType): unknown {
	counter++;
	if (Array.isArray(type)) return [sample(type[0]), sample(type[0])];
	switch (type) {
		case 'u32':
			return counter;
		case 'i32':
			return -counter;
		case 'u64':
			return 2n ** 63n + BigInt(counter);
		case 'i64':
			return -BigInt(counter);
		case 'str':
			return `text ${counter} ü`;
		case 'bytes':
			return Buffer.from([0, counter & 255]);
		default:
			return sampleFields((STRUCTS as Record<string, Fields>)[type as string] ?? {});
	}
}
const sampleFields = (fields: Fields) =>
	Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, sample(type)]));

test('every message comes back as it was, cut anywhere', () => {
	for (const [name, { fields }] of Object.entries(MESSAGES)) {
		const body = sampleFields(fields) as never;
		const bytes = encodeFrame(name as MessageName, 77, body);
		const decoder = new FrameDecoder();
		const frames: Frame[] = [];
		for (let at = 0; at < bytes.length; at += 5) frames.push(...decoder.push(bytes.subarray(at, at + 5)));
		assert.deepEqual(frames, [{ type: name, requestId: 77, body }]);
	}
});

test('every operation comes back as it was', () => {
	const plan = Object.entries(OPS).map(
		([op, { fields }]) => ({ op: op as OpName, ...sampleFields(fields) }) as never,
	);
	assert.deepEqual(decodePlan(encodePlan(plan)), plan);
});

test('a missing field and a NUL are refused', () => {
	assert.throws(() => encodePlan([{ op: 'mask_path' } as never]), /mask_path\.path is missing/);
	assert.throws(() => encodePlan([{ op: 'mask_path', path: 'a\0b' }]), /NUL/);
});
