import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTar, type TarEntry } from '../../test/support/tar.ts';
import { readTar, TarError, type TarHeader } from './tar-reader.ts';

async function* pieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
	for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function read(tar: Buffer, pieceSize = 64 * 1024): Promise<{ header: TarHeader; data: string }[]> {
	const members: { header: TarHeader; data: string }[] = [];
	for await (const { header, data } of readTar(pieces(tar, pieceSize))) {
		const chunks: Buffer[] = [];
		for await (const chunk of data) chunks.push(chunk);
		members.push({ header, data: Buffer.concat(chunks).toString() });
	}
	return members;
}
const readOne = async (entry: TarEntry) => (await read(makeTar([entry])))[0]?.header;

test('members and their data, in pieces of any size', async () => {
	const tar = makeTar([
		{ name: 'a/', mode: 0o1777 },
		{ name: 'a/b', data: 'x'.repeat(2000), uid: 5, gid: 6, mode: 0o4755 },
		{ name: 'c', type: 'symlink', target: 'a/b' },
	]);
	for (const size of [1, 100, 512, 100_000]) {
		const [folder, file, link] = await read(tar, size);
		assert.deepEqual([folder?.header.type, folder?.header.mode], ['directory', 0o1777]);
		assert.deepEqual(
			[file?.data.length, file?.header.uid, file?.header.gid, file?.header.mode],
			[2000, 5, 6, 0o4755],
		);
		assert.deepEqual([link?.header.type, link?.header.linkName], ['symlink', 'a/b']);
	}
});

test('PAX: long names, nanoseconds, owners and binary attributes', async () => {
	const long = `${'d/'.repeat(200)}ü`;
	const capability = Buffer.from([1, 0, 0, 2, 0x80, 0, 0xff, 0x0a]);
	const header = await readOne({
		name: long,
		mtime: '1700000000.123456789',
		pax: { uid: '3000000000', gid: '4', atime: '5.5' },
		xattrs: { 'security.capability': capability },
	});
	assert.equal(Buffer.from(header?.name ?? '', 'latin1').toString(), long);
	assert.deepEqual([header?.mtimeNs, header?.atimeNs], [1700000000123456789n, 5500000000n]);
	assert.deepEqual([header?.uid, header?.gid], [3000000000, 4]);
	assert.deepEqual(Buffer.from(header?.pax['SCHILY.xattr.security.capability'] ?? '', 'latin1'), capability);
});

test('names keep bytes that are no UTF-8', async () => {
	const header = await readOne({ name: Buffer.from([0x61, 0xff, 0xfe]) });
	assert.equal(header?.name, 'a\xff\xfe');
});

test('GNU long names and base-256 numbers', async () => {
	const long = 'n'.repeat(300);
	const members = await read(
		makeTar([
			{ name: '././@LongLink', type: 'L', data: `${long}\0` },
			{ name: 'short', uid: 2 ** 31 },
		]),
	);
	assert.deepEqual(
		members.map(({ header }) => [header.name, header.uid]),
		[[long, 2 ** 31]],
	);
});

test('times beyond what file systems hold are moved to the border', async () => {
	assert.equal(
		(await readOne({ name: 'a', mtime: '999999999999999999' }))?.mtimeNs,
		2n ** 33n * 1_000_000_000n,
	);
	assert.equal((await readOne({ name: 'a', mtime: -3e9 }))?.mtimeNs, -(2n ** 31n) * 1_000_000_000n);
});

test('refuses what is no tar', async () => {
	const whole = makeTar([{ name: 'a', data: 'x'.repeat(1000) }]);
	const raw = (type: string, data: string | Buffer) => makeTar([{ name: 'x', type, data }, { name: 'a' }]);
	const refused: Record<string, Buffer> = {
		cut: whole.subarray(0, 900),
		'cut header': whole.subarray(0, 300),
		noise: Buffer.alloc(1024, 'noise'),
		'a PAX record that would loop': raw('x', '-5 =\n'),
		'a PAX record that lies': raw('x', '99 path=b\n'),
		'a negative size': makeTar([{ name: 'a', size: -5 }]),
		'an owner that is none': makeTar([{ name: 'a', pax: { uid: '-1' } }]),
		'an owner beyond 32 bits': makeTar([{ name: 'a', uid: 2 ** 32 - 1 }]),
		'a huge PAX header': makeTar([{ name: 'a', type: 'x', size: 2 ** 30 }]),
	};
	for (const [what, tar] of Object.entries(refused)) await assert.rejects(read(tar), TarError, what);
});

test('an error of the source stays what it is', async () => {
	const broken = new RangeError('broken');
	async function* failing(): AsyncGenerator<Buffer> {
		yield makeTar([{ name: 'a', data: 'x' }]).subarray(0, 600);
		throw broken;
	}
	const reading = (async () => {
		for await (const { data } of readTar(failing())) for await (const _ of data);
	})();
	await assert.rejects(reading, broken);
});
