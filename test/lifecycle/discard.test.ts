/** What a removed container wrote leaves the disk behind the answer. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { failureOf, TestBed } from './harness.ts';

test('a removed container is gone at once, what it wrote a moment later, and its name is free', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const config = { metadata: { name: 'writes', attempt: 0 } };
	const id = await bed.run(pod, config);
	await bed.sh(id, 'mkdir -p /some/where; echo text > /some/where/file');
	await bed.cri.RemoveContainer({ container_id: id });
	assert.equal((await failureOf(bed.cri.ContainerStatus({ container_id: id }))).condition, 'NOT_FOUND');
	assert.ok(!existsSync(bed.daemon.containers.layerFolder(id)));
	await until('the disk has it back', () => bed.layers().length === 0);
	await bed.create(pod, config);
});

test('what cannot be removed keeps no container; it is tried again', async (t) => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const id = await bed.run(pod);
	await bed.sh(id, 'echo text > /file');
	const chattr = (flag: string, path: string) => execFileSync('chattr', [flag, path], { stdio: 'ignore' });
	try {
		chattr('+i', join(bed.daemon.containers.layerFolder(id), 'upper/file'));
	} catch {
		return t.skip('this file system has no immutable flag');
	}
	await bed.cri.RemoveContainer({ container_id: id });
	const [removed] = bed.layers();
	assert.equal(removed, `.removed-${id}`);
	await Promise.all(bed.daemon.containers.discards);
	chattr('-i', join(bed.folder, 'root/containers', removed ?? '', 'upper/file'));
	await until('it is gone', () => bed.layers().length === 0);
});
