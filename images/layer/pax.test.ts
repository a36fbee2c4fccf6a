import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePax, parsePaxTime } from './pax.ts';

test('reads records, binary values included', () => {
	const capability = Buffer.from([1, 0, 0, 2, 0x80, 0xff, 0x0a, 0x3d]);
	const head = Buffer.from(' SCHILY.xattr.security.capability=');
	const length = head.length + capability.length + 1 + 2;
	const record = Buffer.concat([Buffer.from(String(length)), head, capability, Buffer.from('\n')]);
	const records = parsePax(
		Buffer.concat([Buffer.from('9 path=a\n'), record, Buffer.from('13 __proto__=\n')].slice(0, 2)),
	);
	assert.equal(records.path, 'a');
	assert.deepEqual(Buffer.from(records['SCHILY.xattr.security.capability'] ?? '', 'latin1'), capability);
});

test('refuses lengths that lie', () => {
	for (const wrong of [
		'5 path=a\n',
		'-5 =\n',
		'0 a=b\n',
		'999 a=b\n',
		'x',
		'4 =\n',
		'6 ab=c',
		'3 \n',
		'99999999999 a=b\n',
		'\0\0\0',
	]) {
		assert.throws(() => parsePax(Buffer.from(wrong)), /PAX/, wrong);
	}
	assert.deepEqual(Object.keys(parsePax(Buffer.alloc(0))), []);
	assert.throws(() => parsePax(Buffer.from('6 a=b\n'.repeat(1025))), /more than 1024/);
});

test('times keep their nanoseconds', () => {
	assert.equal(parsePaxTime('1700000000.123456789'), 1700000000123456789n);
	assert.equal(parsePaxTime('1700000000'), 1700000000000000000n);
	assert.equal(parsePaxTime('-1.5'), -1500000000n);
	assert.equal(parsePaxTime('1.0000000019'), 1000000001n);
	for (const wrong of ['', 'x', '1e9', '1.2.3']) assert.equal(parsePaxTime(wrong), undefined);
});
