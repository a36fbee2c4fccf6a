/**
 * CNI plug-ins that hang, flood, die and leave children behind, seen through a daemon process: deadlines end the
 * calls, other calls do not wait, and the pod can be removed, with nothing left.
 */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { StatusError } from '#base/errors.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { until } from '../support/until.ts';

const TIMEOUT_S = 2;
const RESULT = '{"cniVersion":"1.0.0","ips":[{"address":"10.1.1.1/24"}]}';
/** A plug-in that does nothing but answer as one should. */
const GOOD = `[ "$CNI_COMMAND" = ADD ] && echo '${RESULT}'; exit 0`;

describe('CNI plug-ins that misbehave', () => {
	const aside = mkdtempSync(join(tmpdir(), 'gantry-cni-'));
	let daemon: TestDaemon;
	let pods = 0;

	/** What the plug-in does at ADD, DEL and so on; what it is not told it does well. */
	const behave = (deeds: Partial<Record<'ADD' | 'DEL' | 'STATUS' | 'GC', string>>): void => {
		const cases = Object.entries(deeds).map(([command, script]) => `${command}) ${script} ;;`);
		const body = `#!/bin/sh\ncase "$CNI_COMMAND" in\n${cases.join('\n')}\nesac\n${GOOD}\n`;
		const path = join(aside, 'bin/moody');
		writeFileSync(`${path}.new`, body);
		chmodSync(`${path}.new`, 0o755);
		// Replaced, not rewritten: it may be running.
		rmSync(path, { force: true });
		writeFileSync(path, body, { mode: 0o755 });
	};
	const run = (timeoutMs = 60_000): Promise<string> => {
		const name = `pod-${pods++}`;
		const config = { metadata: { name, namespace: 'tests', uid: name, attempt: 0 } };
		return daemon.cri.RunPodSandbox({ config }, { timeoutMs }).then(({ pod_sandbox_id }) => pod_sandbox_id);
	};
	const remove = async (pod_sandbox_id: string): Promise<void> => {
		await daemon.cri.StopPodSandbox({ pod_sandbox_id });
		await daemon.cri.RemovePodSandbox({ pod_sandbox_id });
	};
	const reads = async (): Promise<void> => {
		const quick = { timeoutMs: 10_000 };
		await Promise.all([
			daemon.cri.Status({}, quick),
			daemon.cri.ListPodSandbox({}, quick),
			daemon.cri.ListContainers({}, quick),
			daemon.cri.ListPodSandboxStats({}, quick),
		]);
	};
	const failure = (call: Promise<unknown>): Promise<StatusError> =>
		call.then(
			() => assert.fail('the call succeeded'),
			(error: StatusError) => error,
		);

	before(async () => {
		mkdirSync(join(aside, 'bin'));
		mkdirSync(join(aside, 'net.d'));
		const network = { cniVersion: '1.1.0', name: 'moody', plugins: [{ type: 'moody' }, { type: 'moody' }] };
		writeFileSync(join(aside, 'net.d/10-moody.conflist'), JSON.stringify(network));
		behave({});
		daemon = await startTestDaemon({
			args: ['cni_conf_dir', 'cni_bin_dirs']
				.flatMap((option) => [
					'--set',
					option === 'cni_conf_dir'
						? `network.cni_conf_dir=${aside}/net.d`
						: `network.cni_bin_dirs=["${aside}/bin"]`,
				])
				.concat(['--set', 'network.provider=cni', '--set', `network.cni_timeout_seconds=${TIMEOUT_S}`]),
		});
	});
	after(async () => {
		behave({});
		try {
			await daemon[Symbol.asyncDispose]();
		} finally {
			rmSync(aside, { recursive: true, force: true });
		}
	});

	it('hangs at ADD: the call ends, says so, and the next attempt succeeds', async () => {
		behave({ ADD: `touch ${aside}/hangs; sleep 1000` });
		const failing = failure(run());
		await until('the plug-in hangs', () => existsSync(`${aside}/hangs`));
		await reads();
		const { condition, message } = await failing;
		assert.match(message, /CNI plugin moody failed at ADD: it did not end within 2 s/);
		assert.notEqual(condition, 'INTERNAL');
		behave({});
		await remove(await run());
	});

	it('hangs at DEL, all of the chain: the pod is removed all the same', async () => {
		const pod = await run();
		behave({ DEL: 'sleep 1000' });
		const removing = remove(pod);
		await reads();
		await removing;
		behave({});
	});

	it('hangs at STATUS and GC: the daemon starts, lists, and says what it waits for', async () => {
		const pod = await run();
		behave({ STATUS: 'sleep 1000', GC: 'sleep 1000' });
		await daemon.stop();
		await daemon.start();
		const { items } = await daemon.cri.ListPodSandbox();
		assert.deepEqual(
			items.map(({ id }) => id),
			[pod],
		);
		const networkReady = async () =>
			(await daemon.cri.Status()).status?.conditions.find(({ type }) => type === 'NetworkReady');
		assert.equal((await networkReady())?.status, false);
		await until('the daemon gave up', async () =>
			/did not end within/.test((await networkReady())?.message ?? ''),
		);
		behave({});
		await remove(pod);
	});

	for (const [what, script, message] of [
		['prints a gigabyte', 'head -c 1000000000 /dev/zero', /its answer is no JSON object/],
		['prints for ever', 'yes', /did not end within 2 s/],
		['prints errors for ever', 'yes >&2', /did not end within 2 s/],
		['is killed', 'kill -9 $$', /failed at ADD: signal 9/],
		['ends by a signal of its own', 'kill -SEGV $$', /failed at ADD: signal 11/],
		['does not read and fails', 'exec <&-; echo no >&2; exit 3', /exit status 3: no/],
		['ignores SIGTERM', 'trap "" TERM; while :; do sleep 0.1; done', /did not end within 2 s/],
	] as const) {
		it(`${what}: told, and nothing is left`, async () => {
			behave({ ADD: script });
			const { condition, message: said } = await failure(run());
			assert.match(said, message);
			assert.ok(said.length < 2_000, 'the message is no flood itself');
			assert.notEqual(condition, 'INTERNAL');
			behave({});
		});
	}

	for (const [what, child] of [
		['that hold its pipes', 'sleep 1000 &'],
		['that flood its pipes', '(trap "" PIPE; while :; do echo x; done) &'],
	] as const) {
		it(`leaves children ${what}: the call does not wait for them`, async () => {
			const pids = join(aside, `${what}.pids`);
			behave({ ADD: `${child}\necho $! >> '${pids}'; echo '${RESULT}'; exit 0` });
			const call = run(20_000);
			const outcome = await call.catch((error: StatusError) => error);
			// One of each plug-in of the chain.
			for (const pid of readFileSync(pids, 'utf8').trim().split('\n')) process.kill(Number(pid), 'SIGKILL');
			behave({});
			if (typeof outcome === 'string') return await remove(outcome);
			assert.match(outcome.message, /its answer is no JSON object/, 'what the children wrote came between');
		});
	}

	it('keeps the memory of the daemon and its launcher within bounds through all of this', async () => {
		const { info } = await daemon.cri.Status({ verbose: true });
		const { pid, launcherPid } = JSON.parse(info.runtime ?? '{}') as { pid: number; launcherPid: number };
		const residentMb = (of: number): number =>
			Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${of}/status`, 'utf8'))?.[1]) / 1024;
		assert.ok(residentMb(pid) < 400, `the daemon took ${residentMb(pid)} MB`);
		assert.ok(residentMb(launcherPid) < 64, `the launcher took ${residentMb(launcherPid)} MB`);
		const { items } = await daemon.cri.ListPodSandbox();
		assert.deepEqual(items, []);
	});
});
