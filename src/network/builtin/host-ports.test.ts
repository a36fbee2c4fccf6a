import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostPortsOf } from '../port-mappings.ts';
import type { PortMapping } from '../types.ts';
import { HostPorts } from './host-ports.ts';

const web = { sandboxId: 'a'.repeat(64), pod: 'default/web' };
const other = { sandboxId: 'b'.repeat(64), pod: 'default/other' };
const port = (mapping: Partial<PortMapping>) =>
	hostPortsOf([{ protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '', ...mapping }], [4, 6]);

test('a taken port names its holder, also when only one side is for every address', () => {
	const ports = new HostPorts();
	ports.reserve(web, port({}));
	for (const hostIp of ['', '0.0.0.0', '127.0.0.1', '::1'])
		assert.throws(
			() => ports.reserve(other, port({ hostIp })),
			/aaaaaaaaaaaaa \(default\/web\) holds/,
			hostIp,
		);
	ports.reserve(other, port({ protocol: 'udp' }));
	ports.reserve(other, port({ hostPort: 8081 }));
});

test('two addresses may have the same port, and a freed port can be taken', () => {
	const ports = new HostPorts();
	ports.reserve(web, port({ hostIp: '127.0.0.1' }));
	ports.reserve(other, port({ hostIp: '127.0.0.2' }));
	assert.throws(() => ports.reserve(other, port({ hostIp: '127.0.0.1' })));
	ports.release(web.sandboxId);
	ports.reserve(other, port({ hostIp: '127.0.0.1' }));
});

test('a conflict takes nothing', () => {
	const ports = new HostPorts();
	ports.reserve(web, port({ hostPort: 2 }));
	assert.throws(() => ports.reserve(other, [...port({ hostPort: 1 }), ...port({ hostPort: 2 })]));
	ports.reserve(other, port({ hostPort: 1 }));
});

test('a sandbox that asks twice for a port is wrong', () => {
	assert.throws(() => new HostPorts().reserve(web, [...port({}), ...port({ hostIp: '127.0.0.1' })]), /twice/);
});
