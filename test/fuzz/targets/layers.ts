/** What comes in layers of images. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { inflate, isInflateError } from '../../../images/layer/inflate.ts';
import type { ApplyOps } from '../../../images/layer/op-batch.ts';
import { parsePax } from '../../../images/layer/pax.ts';
import { readTar, TarError } from '../../../images/layer/tar-reader.ts';
import { unpackLayer } from '../../../images/layer/unpack.ts';
import { FakeFiles } from '../../support/fake-files.ts';
import { makeTar } from '../../support/tar.ts';
import type { Target } from '../target.ts';
import { pieces } from './pieces.ts';

const TARS = [
	makeTar([
		{ name: 'a/' },
		{ name: 'a/b', data: 'x'.repeat(700), mode: 0o4755 },
		{ name: 'c', type: 'link', target: 'a/b' },
	]),
	makeTar([{ name: 's', type: 'symlink', target: '/etc' }, { name: 's/x', data: 'y' }, { name: 's/../z' }]),
	makeTar([
		{ name: 'd/' },
		{ name: 'd/.wh.x' },
		{ name: 'd/.wh..wh..opq' },
		{ name: '.wh.d' },
		{ name: 'd/x/y' },
	]),
	makeTar([
		{ name: 'n'.repeat(150), mtime: '1.5', xattrs: { 'user.a': 'b' }, pax: { uid: '7' } },
		{ name: 'f', type: 'fifo' },
	]),
	makeTar([
		{ name: 'dev/x', type: 'char', major: 1, minor: 3 },
		{ name: 'l', type: 'link', target: 'dev/x' },
	]),
	makeTar([
		{ name: '././@LongLink', type: 'L', data: 'long\0' },
		{ name: 'x' },
		{ name: 'x', type: 'symlink', target: 'y' },
	]),
	makeTar([{ name: 'pax', type: 'g', data: '12 path=abc\n' }, { name: 'x' }]),
];
const WORDS = [
	'.wh.',
	'.wh..wh..opq',
	'.wh..wh.',
	'../',
	'ustar\0',
	'00',
	'0000644\0',
	' path=',
	'SCHILY.xattr.',
];

const tar: Target = {
	cost: 3,
	seeds: TARS,
	tokens: WORDS,
	refuses: (error) => error instanceof TarError,
	async run(input) {
		let bytes = 0;
		for await (const { header, data } of readTar(pieces(input))) {
			assert.ok(Number.isSafeInteger(header.uid) && Number.isInteger(header.mode));
			for await (const chunk of data) bytes += chunk.length;
		}
		assert.ok(bytes <= input.length, 'more data than there is');
	},
};

const pax: Target = {
	seeds: ['12 path=abc\n', '20 mtime=1.5\n30 SCHILY.xattr.user.x=\u0001\n', '6 a=b\n6 a=c\n'],
	tokens: ['=', '\n', ' ', '11 ', '999999999 '],
	refuses: (error) => error instanceof Error && error.message.startsWith('a PAX record'),
	run(input) {
		const records = parsePax(input);
		const again = Object.entries(records).map(([key, value]) => record(`${key}=${value}`));
		assert.deepEqual(parsePax(Buffer.from(again.join(''), 'latin1')), records);
	},
};

function record(text: string): string {
	let length = text.length + 3;
	while (`${length} ${text}\n`.length !== length) length = `${length} ${text}\n`.length;
	return `${length} ${text}\n`;
}

/** More than this of an input's output is not asked for: a bomb must be possible to leave. */
const ENOUGH_BYTES = 4 * 1024 * 1024;

const inflating: Target = {
	seeds: [
		...TARS.slice(0, 2).flatMap((plain) => [gzipSync(plain), zstdCompressSync(plain)]),
		gzipSync(Buffer.alloc(8 * 1024 * 1024)),
		zstdCompressSync(Buffer.alloc(8 * 1024 * 1024)),
		Buffer.from('2a4d1850040000000a0b0c0d', 'hex'),
	],
	refuses: isInflateError,
	cost: 6,
	async run(input) {
		let bytes = 0;
		for await (const chunk of inflate(pieces(input))) {
			bytes += chunk.length;
			if (bytes > ENOUGH_BYTES) break;
		}
	},
};

/** Checks that the native helper is only told of paths below the root, and none through a symlink. */
function checked(files: FakeFiles, root: string): ApplyOps {
	return async (ops) => {
		for (const { path, name, kind } of ops)
			for (const place of kind === 4 ? [path, name] : [path]) {
				const folder = dirname(join(root, place));
				assert.equal(realpathSync(folder), folder, `${place} is not where its name says`);
				assert.ok(`${folder}/`.startsWith(`${root}/`), `${place} is outside`);
			}
		await files.applyFiles(root, ops);
	};
}

const unpacking: Target = {
	seeds: TARS,
	tokens: WORDS,
	refuses: (error) => error instanceof TarError,
	cost: 12,
	async run(input) {
		const outer = realpathSync(mkdtempSync(join(tmpdir(), 'fuzz-unpack-')));
		const root = join(outer, 'root');
		mkdirSync(root);
		try {
			const apply = checked(new FakeFiles(), root);
			await unpackLayer(pieces(input), {
				root,
				apply,
				maxEntries: 200,
				signal: new AbortController().signal,
			});
		} finally {
			const beside = readdirSync(outer);
			rmSync(outer, { recursive: true, force: true });
			assert.deepEqual(beside, ['root'], 'something was made outside');
		}
	},
};

export const LAYERS = { tar, pax, inflate: inflating, unpack: unpacking };
