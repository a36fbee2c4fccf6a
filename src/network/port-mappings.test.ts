import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostPortsOf, hostPortText } from './port-mappings.ts';
import type { PortMapping } from './types.ts';

const mapping = (part: Partial<PortMapping> = {}): PortMapping => ({
	protocol: 'tcp',
	containerPort: 80,
	hostPort: 8080,
	hostIp: '',
	...part,
});
const texts = (part: Partial<PortMapping>) => hostPortsOf([mapping(part)], [4, 6]).map(hostPortText);

test('a port is mapped in every family that it can have', () => {
	assert.deepEqual(texts({}), ['0.0.0.0:8080/tcp', '[::]:8080/tcp']);
	assert.deepEqual(texts({ hostIp: '0.0.0.0' }), ['0.0.0.0:8080/tcp']);
	assert.deepEqual(texts({ hostIp: '127.0.0.1', protocol: 'udp' }), ['127.0.0.1:8080/udp']);
	assert.deepEqual(texts({ hostIp: '::1', protocol: 'sctp' }), ['[::1]:8080/sctp']);
	assert.deepEqual(texts({ hostPort: 0 }), []);
});

test('nonsense is refused with the mapping in the message', () => {
	for (const part of [
		{ hostPort: 65536 },
		{ containerPort: 0 },
		{ hostPort: -1 },
		{ hostIp: 'localhost' },
		{ protocol: 'icmp' as 'tcp' },
	])
		assert.throws(() => texts(part), /^StatusError: Cannot map host port/);
	assert.throws(() => hostPortsOf([mapping({ hostIp: '::1' })], [4]), /only IPv4/);
});
