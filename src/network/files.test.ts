import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostnameFile, hostsFile, resolvConf } from './files.ts';

const HOST = '# by the administrator\nnameserver 192.0.2.53\noptions edns0\n';

test('without settings the resolv.conf of the host is copied as it is', () => {
	assert.equal(resolvConf(undefined, HOST), HOST);
	assert.equal(resolvConf({ servers: [], searches: [], options: [] }, HOST), HOST);
});

test('settings replace the host resolv.conf as a whole', () => {
	const dns = {
		servers: ['10.96.0.10', 'fd00::10'],
		searches: ['a.svc.cluster.local', 'svc.cluster.local'],
		options: ['ndots:5'],
	};
	assert.equal(
		resolvConf(dns, HOST),
		'nameserver 10.96.0.10\nnameserver fd00::10\nsearch a.svc.cluster.local svc.cluster.local\noptions ndots:5\n',
	);
	assert.equal(resolvConf({ servers: [], searches: ['a'], options: [] }, HOST), 'search a\n');
	assert.equal(
		resolvConf({ servers: ['fe80::1%eth0'], searches: [], options: [] }, ''),
		'nameserver fe80::1%eth0\n',
	);
});

test('a value that would begin a line of its own is refused', () => {
	for (const dns of [
		{ servers: ['dns.example'], searches: [], options: [] },
		{ servers: [], searches: ['a\nnameserver 6.6.6.6'], options: [] },
		{ servers: [], searches: [], options: ['ndots:5 rotate'] },
		{ servers: ['fe80::1%eth0\n'], searches: [], options: [] },
	])
		assert.throws(() => resolvConf(dns, HOST), /DNS/);
});

test('hosts has loopback of both families and the pod under each of its addresses', () => {
	const lines = hostsFile('web-0', ['10.85.0.3', 'fd00::3']).split('\n');
	assert.ok(lines.includes('127.0.0.1\tlocalhost'));
	assert.ok(lines.includes('::1\tlocalhost ip6-localhost ip6-loopback'));
	assert.deepEqual(lines.slice(-3), ['10.85.0.3\tweb-0', 'fd00::3\tweb-0', '']);
	assert.ok(!hostsFile('', ['10.85.0.3']).includes('10.85'));
	assert.equal(hostnameFile('web-0'), 'web-0\n');
});
