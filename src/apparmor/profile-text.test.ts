import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import { allBut, profileText } from './profile-text.ts';

/** As apparmor.d(5) reads it, for the patterns that the profile has. */
function matches(pattern: string, path: string): boolean {
	const source = pattern
		.replace(/\{,(.*?)\}/g, '(?:$1)?')
		.replace(/\*\*|\*/g, (stars) => (stars === '**' ? '.*' : '[^/]*'))
		.replace(/(?<!\))\?(?=\[)/g, '[^/]');
	return new RegExp(`^${source}$`).test(path);
}

const denied = (path: string): boolean =>
	profileText('x')
		.split('\n')
		.map((line) => /^ {2}deny (\/\S+) \w*w\w*,$/.exec(line)?.[1])
		.some((pattern) => pattern !== undefined && matches(pattern, posix.normalize(path)));

test('all paths but those with one beginning', () => {
	assert.deepEqual(allBut('ab/'), ['[^a]**', 'a{,[^b]**}', 'ab{,[^/]**}']);
});

test('files of the node cannot be written, those of processes, shared memory and cgroups can', () => {
	for (const path of [
		'/proc/sysrq-trigger',
		'/proc/irq/1/smp_affinity',
		'/proc/scsi/scsi',
		'/proc/sys/vm/panic_on_oom',
		'/proc/sys/kernel/core_pattern',
		'/proc/sys/kernel/sem',
		'/proc/sys/kernel/sched_rt_runtime_us',
		'/proc/sys/net/ipv4/ip_forward',
		'/sys/power/state',
		'/sys/fs/bpf/x',
		'/sys/kernel/security/apparmor/.remove',
		'/sys/firmware/efi/vars/x',
	])
		assert.ok(denied(path), path);
	for (const path of [
		'/proc/1/oom_score_adj',
		'/proc/12/task/12/comm',
		'/proc/sys/kernel/shmmax',
		'/sys/fs/cgroup/memory/x',
		'/srv/proc/sys/x',
	])
		assert.ok(!denied(path), path);
});

test('peers are processes in the same profile', () => {
	assert.match(profileText('abc'), /^profile abc .*signal \(send\) peer=abc,/s);
});
