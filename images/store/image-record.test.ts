import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256Of } from '../digest.ts';
import { decodeImageRecord, encodeImageRecord, type ImageRecord } from './image-record.ts';

const D = sha256Of('d');
const record: ImageRecord = {
	id: D,
	tags: ['r.example/a:1'],
	digests: [`r.example/a@${D}`],
	manifestDigest: D,
	chainIds: [D],
	documents: [D],
	annotations: { a: 'b' },
	config: {
		user: 'u',
		env: ['A=b'],
		entrypoint: ['e'],
		command: ['c'],
		workingDir: '/',
		stopSignal: 'SIGINT',
		volumes: ['/v'],
		labels: { l: 'm' },
		architecture: 'amd64',
		os: 'linux',
		diffIds: [D],
		createdAt: 'now',
	},
	updatedAtMs: 5,
};
const changed = (change: object) => JSON.stringify({ ...JSON.parse(encodeImageRecord(record)), ...change });

test('what is written is read', () => {
	assert.deepEqual(decodeImageRecord(encodeImageRecord(record), 'r.json'), record);
});

test('anything else is refused, naming the file', () => {
	const wrong = [
		'',
		'null',
		encodeImageRecord(record).slice(0, 100),
		changed({ version: 2 }),
		changed({ id: '../../x' }),
		changed({ chainIds: ['x'] }),
		changed({ documents: [7] }),
		changed({ digests: [] }),
		changed({ tags: ['not a name'] }),
		changed({ config: undefined }),
	];
	for (const text of wrong)
		assert.throws(() => decodeImageRecord(text, 'r.json'), { name: 'StatusError' }, text);
	assert.throws(() => decodeImageRecord(changed({ version: 2 }), 'r.json'), {
		condition: 'DATA_LOSS',
		message: /r\.json: version 2/,
	});
});
