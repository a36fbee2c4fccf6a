import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleSpec } from './sample.ts';
import { sysctlOps } from './sysctls.ts';

const lower = (name: string, ...types: ('ipc' | 'network')[]) =>
	sysctlOps(sampleSpec({ linux: { sysctl: { [name]: '1' }, namespaces: types.map((type) => ({ type })) } }));

test('names become paths, whichever separator they use', () => {
	assert.deepEqual(lower('net.ipv4.conf.eth0/1.forwarding', 'network'), [
		{ op: 'sysctl', name: 'net/ipv4/conf/eth0.1/forwarding', value: '1' },
	]);
	assert.deepEqual(lower('net/ipv4/conf/eth0.1/forwarding', 'network'), [
		{ op: 'sysctl', name: 'net/ipv4/conf/eth0.1/forwarding', value: '1' },
	]);
	assert.equal(lower('kernel.shmmax', 'ipc').length, 1);
	assert.equal(lower('fs.mqueue.msg_max', 'ipc').length, 1);
});

for (const [name, types, message] of [
	['net.ipv4.ip_forward', [], /needs a network namespace/],
	['kernel.shmmax', ['network'], /needs a ipc namespace/],
	['kernel.panic', ['network', 'ipc'], /the whole node/],
	['vm.swappiness', ['network', 'ipc'], /the whole node/],
	['kernel.hostname', ['network', 'ipc'], /use the field hostname/],
	['kernel.domainname', ['network', 'ipc'], /use the field domainname/],
	['net..x', ['network'], /not a name/],
	['net/../kernel/panic', ['network'], /not a name/],
] as const) {
	test(`refused: ${name} with ${types.join(' and ') || 'host namespaces'}`, () => {
		assert.throws(() => lower(name, ...types), { condition: 'INVALID_ARGUMENT', message });
	});
}
