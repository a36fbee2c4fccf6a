import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StatusError } from '#base/errors.ts';
import type { ImageFilter, ImageSpec } from '#cri-api';
import type { Image } from '#images';
import { listImages } from './image-list.ts';
import { toCredentials } from './image-pull.ts';
import { imageOf } from './image-spec.ts';
import { toCriImage, toOciImageConfig } from './image-to-cri.ts';
import { selects } from './label-selector.ts';
import type { Call, Daemon } from './types.ts';

const image: Image = {
	id: 'sha256:aa',
	repoTags: ['r/busybox:1'],
	repoDigests: ['r/busybox@sha256:bb'],
	sizeBytes: 5,
	config: {
		user: '',
		env: ['A=1'],
		entrypoint: ['/run'],
		command: ['x'],
		workingDir: '/w',
		stopSignal: 'SIGINT',
		volumes: ['/data'],
		labels: { a: 'b' },
		architecture: 'amd64',
		os: 'linux',
		diffIds: ['sha256:cc'],
	},
	pinned: true,
	chainIds: ['sha256:cc'],
	manifestDigest: 'sha256:bb',
	annotations: { note: 'n' },
};
const withUser = (user: string): Image => ({ ...image, config: { ...image.config, user } });
const spec = (fields: Partial<ImageSpec>): ImageSpec => ({
	image: '',
	annotations: {},
	user_specified_image: '',
	runtime_handler: '',
	image_ref: '',
	...fields,
});

describe('toCriImage', () => {
	it('has the names, size, annotations and whether it is pinned', () => {
		const cri = toCriImage(image);
		assert.deepEqual(cri.repo_tags, ['r/busybox:1']);
		assert.equal(cri.size, 5);
		assert.equal(cri.pinned, true);
		assert.deepEqual(cri.spec?.annotations, { note: 'n' });
	});

	it('tells a numeric user from a named one, without the group', () => {
		assert.deepEqual(toCriImage(withUser('1000:50')).uid, { value: '1000' });
		assert.equal(toCriImage(withUser('1000:50')).username, undefined);
		assert.equal(toCriImage(withUser('www:www')).username, 'www');
		assert.equal(toCriImage(withUser('www')).uid, undefined);
		assert.equal(toCriImage(withUser('0')).uid?.value, '0');
		assert.equal(toCriImage(withUser('')).uid, undefined);
	});

	it('shows the configuration in OCI form', () => {
		assert.deepEqual(JSON.parse(JSON.stringify(toOciImageConfig(image.config))), {
			architecture: 'amd64',
			os: 'linux',
			config: {
				User: '',
				Env: ['A=1'],
				Entrypoint: ['/run'],
				Cmd: ['x'],
				WorkingDir: '/w',
				StopSignal: 'SIGINT',
				Volumes: { '/data': {} },
				Labels: { a: 'b' },
			},
			rootfs: { type: 'layers', diff_ids: ['sha256:cc'] },
		});
	});
});

describe('imageOf', () => {
	it('wants an image, and no handler but ours', () => {
		assert.equal(imageOf(spec({ image: 'busybox', runtime_handler: 'gantry' }), 'pull'), 'busybox');
		for (const bad of [null, spec({}), spec({ image: 'busybox', runtime_handler: 'kata' })])
			assert.throws(
				() => imageOf(bad, 'pull'),
				(error) => error instanceof StatusError && error.condition === 'INVALID_ARGUMENT',
			);
	});
});

it('lists all images, or the one that the filter names, of a handler that exists', async () => {
	const images = {
		list: () => [image, image],
		find: (name: string) => (name === 'r/busybox:1' ? image : undefined),
	};
	const list = async (filter: ImageFilter | null) =>
		(await listImages({ images } as unknown as Daemon, { filter }, {} as Call)).images?.length;
	assert.equal(await list(null), 2);
	assert.equal(await list({ image: spec({}) }), 2);
	assert.equal(await list({ image: spec({ image: 'r/busybox:1' }) }), 1);
	assert.equal(await list({ image: spec({ image: 'absent' }) }), 0);
	await assert.rejects(list({ image: spec({ image: 'r/busybox:1', runtime_handler: 'kata' }) }), {
		condition: 'INVALID_ARGUMENT',
	});
});

describe('toCredentials', () => {
	const none = {
		username: '',
		password: '',
		auth: '',
		server_address: '',
		identity_token: '',
		registry_token: '',
	};
	it('passes on what is set, and nothing when nothing is', () => {
		assert.equal(toCredentials(null), undefined);
		assert.equal(toCredentials(none), undefined);
		assert.deepEqual(toCredentials({ ...none, username: 'u', password: 'p', server_address: 's' }), {
			username: 'u',
			password: 'p',
			serverAddress: 's',
		});
		assert.deepEqual(toCredentials({ ...none, registry_token: 't' }), { registryToken: 't' });
	});
});

it('selects by every label of the selector', () => {
	assert.equal(selects({}, { a: '1' }), true);
	assert.equal(selects({ a: '1' }, { a: '1', b: '2' }), true);
	assert.equal(selects({ a: '1', b: '3' }, { a: '1', b: '2' }), false);
	assert.equal(selects({ toString: '1' }, {}), false);
});
