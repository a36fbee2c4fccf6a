/** AppArmor, as processes in containers meet it. The kernel of hack/test-v2 has it; others may not. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ContainerConfigInit, LinuxContainerSecurityContextInit } from '#cri-api';
import { read } from '../support/machine.ts';
import { failureOf, TestBed } from './harness.ts';

const PARSER = '/usr/sbin/apparmor_parser';
const FOLDER = '/sys/kernel/security/apparmor';
const hasAppArmor = read('/sys/module/apparmor/parameters/enabled') === 'Y' && existsSync(FOLDER);

const security = (context: LinuxContainerSecurityContextInit): ContainerConfigInit => ({
	linux: { security_context: { namespace_options: { pid: 'CONTAINER' }, ...context } },
});
const local = (localhost_ref: string) => security({ apparmor: { profile_type: 'Localhost', localhost_ref } });
const LABEL = 'cat /proc/self/attr/current';

describe('a kernel without AppArmor', { skip: hasAppArmor && 'this kernel has AppArmor' }, () => {
	test('whoever counts on a profile is refused, all others run', async () => {
		await using bed = await TestBed.start();
		const pod = await bed.runPod();
		const asked = security({ apparmor: { profile_type: 'RuntimeDefault' } });
		for (const config of [asked, local('x')]) {
			const { condition, message } = await failureOf(bed.create(pod, config));
			assert.equal(condition, 'FAILED_PRECONDITION');
			assert.match(message, /AppArmor profile \S+ cannot be applied: this kernel has no AppArmor/);
		}
		await bed.run(pod, security({ apparmor: { profile_type: 'Unconfined' } }));
		const id = await bed.run(pod);
		assert.equal((await specOf(bed, id)).process.apparmorProfile, undefined);
		const state = JSON.parse((await bed.cri.Status({ verbose: true })).info.appArmor ?? '{}');
		assert.equal(state.enabled, false);
	});
});

const noAppArmor = 'this kernel has no AppArmor: its profiles were NOT tested (hack/test-v2 does)';
describe('a kernel with AppArmor', { skip: !hasAppArmor && noAppArmor }, () => {
	let bed: TestBed;
	let pod: string;
	let own: string;
	let other: string;

	before(async () => {
		bed = await TestBed.start();
		pod = await bed.runPod();
		own = `${bed.instance}-default`;
		other = `${bed.instance}-test`;
		const text = `profile ${other} flags=(attach_disconnected) {\n file,\n signal,\n deny /tmp/** w,\n}\n`;
		execFileSync(PARSER, ['--replace', '--skip-cache', '--quiet'], { input: text });
	});
	after(async () => {
		writeFileSync(`${FOLDER}/.remove`, other);
		await bed[Symbol.asyncDispose]();
	});

	test('a container that asks for nothing runs in the default profile, and so do its exec processes', async () => {
		const { text } = await bed.runScript(pod, LABEL);
		assert.equal(text, `${own} (enforce)`);
		const id = await bed.run(pod);
		assert.equal(await bed.sh(id, LABEL), `${own} (enforce)`);
		assert.equal((await specOf(bed, id)).process.apparmorProfile, own);
		const state = JSON.parse((await bed.cri.Status({ verbose: true })).info.appArmor ?? '{}');
		assert.deepEqual(state, { enabled: true, parser: PARSER, defaultProfile: own, problem: '' });
	});

	test('RuntimeDefault, in both of its spellings, also with no_new_privs and as another user', async () => {
		for (const context of [
			{ apparmor: { profile_type: 'RuntimeDefault' } },
			{ apparmor_profile: 'runtime/default' },
			{ no_new_privs: true, run_as_user: { value: 1000 } },
			{ seccomp: { profile_type: 'RuntimeDefault' }, no_new_privs: true },
		] satisfies LinuxContainerSecurityContextInit[]) {
			const id = await bed.run(pod, security(context));
			for (const process of ['self', '1'])
				assert.equal(await bed.sh(id, `cat /proc/${process}/attr/current`), `${own} (enforce)`);
		}
	});

	test('the default profile keeps from mounts and from files of the node, whatever the capabilities', async () => {
		const id = await bed.run(
			pod,
			security({ capabilities: { add_capabilities: ['ALL'] }, masked_paths: [], readonly_paths: [] }),
		);
		const refused = async (script: string): Promise<void> => {
			const answer = await bed.sh(id, `{ ${script}; } 2>&1 || echo refused`);
			assert.match(answer, /denied.*refused/s, script);
		};
		await refused('mount -t tmpfs tmpfs /data');
		await refused('echo 60 > /proc/sys/vm/swappiness');
		await refused('echo core > /proc/sys/kernel/core_pattern');
		await refused('echo h > /proc/sysrq-trigger');
		await refused('cat /proc/kcore');
		const free = await bed.run(
			pod,
			security({
				apparmor: { profile_type: 'Unconfined' },
				capabilities: { add_capabilities: ['ALL'] },
				masked_paths: [],
				readonly_paths: [],
			}),
		);
		await bed.sh(free, 'mount -t tmpfs tmpfs /data');
		assert.equal(
			await bed.sh(id, 'echo 4097 > /proc/sys/kernel/shmmni; cat /proc/sys/kernel/shmmni'),
			'4097',
		);
		assert.equal(await bed.sh(id, 'echo 0 > /proc/self/oom_score_adj; echo ok > /tmp/x; cat /tmp/x'), 'ok');
	});

	test('signals get through: among processes of the profile, from exec, and from the runtime', async () => {
		const script = 'trap "exit 5" TERM; trap "echo heard" USR1; while :; do sleep 0.1; done';
		const id = await bed.run(pod, { command: ['sh', '-c', script] });
		assert.equal(await bed.sh(id, 'kill -USR1 1; sleep 100 & kill $!; wait $! ; echo $?'), '143');
		await bed.cri.StopContainer({ container_id: id, timeout: 600 });
		const { status } = await bed.cri.ContainerStatus({ container_id: id });
		assert.equal(status?.exit_code, 5);
	});

	test('a pod with a user namespace of its own has the profile, too', async () => {
		const map = { container_id: 0, host_id: 300_000, length: 65536 };
		const options = { userns_options: { mode: 'POD', uids: [map], gids: [map] } } as const;
		const mapped = await bed.runPod({ linux: { security_context: { namespace_options: options } } });
		const { text } = await bed.runScript(mapped, LABEL);
		assert.equal(text, `${own} (enforce)`);
	});

	test('Unconfined and privileged run without one', async () => {
		const unconfined = [
			security({ apparmor: { profile_type: 'Unconfined' } }),
			security({ apparmor_profile: 'unconfined' }),
		];
		for (const config of unconfined)
			assert.equal((await bed.runScript(pod, LABEL, config)).text, 'unconfined');
		const privileged = await bed.runPod({ linux: { security_context: { privileged: true } } });
		const config = security({ privileged: true, apparmor_profile: `localhost/${other}` });
		assert.equal((await bed.runScript(privileged, LABEL, config)).text, 'unconfined');
	});

	test('a sandbox has the profile that it asks for, and none otherwise', async () => {
		const sandbox = await bed.runPod({
			linux: { security_context: { apparmor: { profile_type: 'RuntimeDefault' } } },
		});
		assert.equal(labelOf(bed.daemon.sandboxes.find(sandbox)?.status.pause?.pid), `${own} (enforce)`);
		assert.equal(labelOf(bed.daemon.sandboxes.find(pod)?.status.pause?.pid), 'unconfined');
	});

	test('a profile of the node is applied and enforced, to exec processes as well', async () => {
		for (const config of [
			local(other),
			local(`localhost/${other}`),
			security({ apparmor_profile: `localhost/${other}` }),
		]) {
			const id = await bed.run(pod, config);
			assert.equal(await bed.sh(id, LABEL), `${other} (enforce)`);
			assert.match(await bed.sh(id, 'touch /tmp/x 2>&1 || echo refused'), /denied.*refused/s);
			assert.equal(await bed.sh(id, 'touch /data/x && echo made'), 'made');
		}
	});

	test('a profile that is not loaded is refused, and nothing is left', async () => {
		const { condition, message } = await failureOf(bed.create(pod, local('no-such-profile')));
		assert.equal(condition, 'FAILED_PRECONDITION');
		assert.match(message, /AppArmor profile no-such-profile cannot be applied: no such profile is loaded/);
		// The list of the kernel does not tell of these: it refuses them itself.
		const stacked = await failureOf(bed.create(pod, local('no-such//&profile')));
		assert.equal(stacked.condition, 'FAILED_PRECONDITION');
		assert.match(stacked.message, /no-such\/\/&profile \(is it loaded\?\)/);
	});

	test('taken away by somebody, the default profile is back with the next process', async () => {
		const id = await bed.run(pod);
		for (const look of [() => bed.sh(id, LABEL), async () => (await bed.runScript(pod, LABEL)).text]) {
			writeFileSync(`${FOLDER}/.remove`, own);
			assert.equal(await look(), `${own} (enforce)`);
		}
	});

	test('restored processes are in the profile that they were saved in', async (t) => {
		const { problem } = await bed.daemon.criu.look();
		if (problem !== '') return t.skip(`restored processes were NOT looked at: ${problem}`);
		const pod_sandbox_id = await bed.runPod();
		await bed.run(pod_sandbox_id);
		const path = join(bed.folder, 'checkpoint');
		await bed.cri.CheckpointPod({ pod_sandbox_id, output_path: path });
		await bed.cri.RemovePodSandbox({ pod_sandbox_id });
		const answer = await bed.cri.RestorePod({ checkpoint_path: path, config: bed.podConfig() });
		const id = answer.restored_containers[0]?.container_id ?? '';
		await bed.cri.StartContainer({ container_id: id });
		assert.equal(labelOf(bed.daemon.containers.get(id)?.status.process?.pid), `${own} (enforce)`);
		assert.equal(await bed.sh(id, LABEL), `${own} (enforce)`);
	});

	test('a daemon that comes back runs exec processes in the profile of the container', async () => {
		const id = await bed.run(pod, local(other));
		await bed.crash();
		await bed.start();
		assert.equal(await bed.sh(id, LABEL), `${other} (enforce)`);
	});
});

async function specOf(bed: TestBed, id: string) {
	const { info } = await bed.cri.ContainerStatus({ container_id: id, verbose: true });
	return JSON.parse(info.info ?? '{}').runtimeSpec;
}

const labelOf = (pid: number | undefined): string => readFileSync(`/proc/${pid}/attr/current`, 'utf8').trim();
