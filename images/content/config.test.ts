import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeConfig } from './config.ts';

const decode = (value: unknown) => decodeConfig(Buffer.from(JSON.stringify(value)), 'sha256:x');
const DIFF_ID = `sha256:${'b'.repeat(64)}`;

test('reads every field that a container takes from its image', () => {
	const config = decode({
		created: '2020-01-01T00:00:00Z',
		os: 'linux',
		architecture: 'amd64',
		config: {
			User: '1:2',
			Env: ['A=b'],
			Entrypoint: ['/e'],
			Cmd: ['c'],
			WorkingDir: '/w',
			StopSignal: 'SIGINT',
			Volumes: { '/v': {} },
			Labels: { l: 'm' },
			ExposedPorts: { '80/tcp': {} },
		},
		rootfs: { type: 'layers', diff_ids: [DIFF_ID] },
	});
	assert.deepEqual(config, {
		user: '1:2',
		env: ['A=b'],
		entrypoint: ['/e'],
		command: ['c'],
		workingDir: '/w',
		stopSignal: 'SIGINT',
		volumes: ['/v'],
		labels: { l: 'm' },
		architecture: 'amd64',
		os: 'linux',
		diffIds: [DIFF_ID],
		createdAt: '2020-01-01T00:00:00Z',
	});
});

test('absent and null are empty', () => {
	const config = decode({ config: { Env: null, Cmd: null, Volumes: null } });
	assert.deepEqual(
		[config.env, config.command, config.volumes, config.user, config.diffIds],
		[[], [], [], '', []],
	);
	assert.deepEqual(decode({}).entrypoint, []);
});

test('wrong types are named', () => {
	assert.throws(() => decode({ config: { Env: [1] } }), { condition: 'DATA_LOSS', message: /"Env"/ });
	assert.throws(() => decode({ config: { User: 5 } }), { condition: 'DATA_LOSS', message: /"User"/ });
	assert.throws(() => decode({ rootfs: { diff_ids: ['../x'] } }), {
		condition: 'DATA_LOSS',
		message: /diff id/,
	});
});
