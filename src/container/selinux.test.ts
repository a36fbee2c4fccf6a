import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseContexts, seLinuxLabels } from './selinux.ts';

const NONE = { user: '', role: '', type: '', level: '' };
const WHOLE = { user: 'u', role: 'r', type: 't', level: 's0:c1,c2' };
const HOST = { seLinux: true };
const CONTEXTS = parseContexts(
	'process = "system_u:system_r:container_t:s0"\nfile = "system_u:object_r:container_file_t:s0"\nro_file="x"\n',
);
const labels = (options: Partial<typeof NONE>, contexts = CONTEXTS) =>
	seLinuxLabels({ ...NONE, ...options }, HOST, false, () => contexts);

test('a whole label is that of the processes; files have the type of the policy and the same level', () => {
	assert.deepEqual(labels(WHOLE), {
		process: 'u:r:t:s0:c1,c2',
		mount: 'system_u:object_r:container_file_t:s0:c1,c2',
	});
});

test('what is left out is what the policy has for containers', () => {
	assert.deepEqual(labels({ level: 's0:c3,c4' }), {
		process: 'system_u:system_r:container_t:s0:c3,c4',
		mount: 'system_u:object_r:container_file_t:s0:c3,c4',
	});
	assert.equal(labels({ type: 'spc_t' })?.process, 'system_u:system_r:spc_t:s0');
});

test('a policy that knows no containers: only a whole label will do', () => {
	const without = () => undefined;
	assert.deepEqual(seLinuxLabels(WHOLE, HOST, false, without), {
		process: 'u:r:t:s0:c1,c2',
		mount: undefined,
	});
	assert.throws(() => seLinuxLabels({ ...WHOLE, user: '' }, HOST, false, without), {
		condition: 'INVALID_ARGUMENT',
		message: /not whole/,
	});
	assert.equal(parseContexts('process = "a:b:c:s0"\n'), undefined);
});

test('no label is asked for, or none is applied', () => {
	assert.equal(labels({}), undefined);
	assert.equal(seLinuxLabels(null, HOST, false), undefined);
	assert.equal(seLinuxLabels(NONE, { seLinux: false }, false), undefined);
	assert.equal(seLinuxLabels(WHOLE, HOST, true), undefined);
});

test('a part that would end the option it becomes is refused', () => {
	for (const level of ['s0",upperdir=/x', 's0 s1', 's0\n'])
		assert.throws(() => labels({ ...WHOLE, level }), {
			condition: 'INVALID_ARGUMENT',
			message: /no part of a label/,
		});
});

test('a kernel without SELinux: who asks for a label is refused', () => {
	assert.throws(() => seLinuxLabels(WHOLE, { seLinux: false }, false), {
		condition: 'FAILED_PRECONDITION',
		message: /u:r:t:s0:c1,c2 cannot be applied: this kernel has no SELinux/,
	});
});
