import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSync } from '@grpc/proto-loader';
import { PROTO_OPTIONS, PROTO_PACKAGE, PROTO_PATH, type RpcName } from '#cri-api';
import { keepingEntries } from './list-bytes.ts';

type Method = { responseSerialize(message: object): Buffer; responseDeserialize(bytes: Buffer): object };
const methods = loadSync(PROTO_PATH, PROTO_OPTIONS)[`${PROTO_PACKAGE}.RuntimeService`] as unknown as Record<
	RpcName,
	Method
>;

const LISTS = [
	['ListContainers', 'containers'],
	['ListPodSandbox', 'items'],
] as const;

for (const [name, field] of LISTS)
	test(`${name}: entries written one by one are the list, and are written once`, () => {
		const { responseSerialize, responseDeserialize } = methods[name];
		let written = 0;
		const serialize = keepingEntries(name, (message) => {
			written++;
			return responseSerialize(message);
		});
		const entries = Array.from({ length: 5 }, (_, index) => ({
			id: `id-${index}`,
			metadata: { name: `name ${index}`, attempt: index },
			labels: { app: 'ü', empty: '' },
			created_at: 2n ** 62n,
		}));
		const whole = { [field]: entries };
		for (const _ of ['first', 'again'])
			assert.deepEqual(responseDeserialize(serialize(whole)), responseDeserialize(responseSerialize(whole)));
		assert.equal(written, entries.length);
		assert.equal(serialize({ [field]: [] }).length, 0);
	});

test('other messages are written as they are', () => {
	const { responseSerialize } = methods.Version;
	assert.equal(keepingEntries('Version', responseSerialize), responseSerialize);
});
