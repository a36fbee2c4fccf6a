/**
 * Gigabytes through exec, in both directions, past a side that stops again and again: the other side waits, and neither
 * daemon nor shim grows. GANTRY_TEST_STREAM_GB says how many (`npm run streams`: ten); the suite has time for half a one.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type Stage, setStage } from '../crictl/stage.ts';
import { processes, read } from '../support/machine.ts';
import { until } from '../support/until.ts';
import { type CommandClient, type CommandOptions, connectCommand, type Transport } from './command-client.ts';

const TOTAL_BYTES = Number(process.env.GANTRY_TEST_STREAM_GB ?? 0.5) * 1_000_000_000;
const CHUNK_BYTES = 100_000;
const STOPS = 8;
/** What a garbage collector may let come together. Without back-pressure it is what one stop lets through, and more each. */
const DAEMON_MAY_GROW_MB = 64;
const SHIM_MAY_GROW_MB = 2;

let stage: Stage;
let pod = '';
let container = '';

before(async () => {
	stage = await setStage();
	const { cri } = stage.daemon;
	await cri.PullImage({ image: { image: stage.image } });
	pod = (await cri.RunPodSandbox({ config: stage.pod })).pod_sandbox_id;
	const config = { ...stage.container('main'), command: ['sleep', '100000'], envs: [] };
	const request = { pod_sandbox_id: pod, config, sandbox_config: stage.pod };
	container = (await cri.CreateContainer(request)).container_id;
	await cri.StartContainer({ container_id: container });
});
after(() => stage[Symbol.asyncDispose]());

async function exec(cmd: readonly string[], options: CommandOptions): Promise<CommandClient> {
	const { stdin = false } = options;
	const request = { container_id: container, cmd, stdin, stdout: true, stderr: true };
	return await connectCommand((await stage.daemon.cri.Exec(request)).url, options);
}

const residentMb = (pid: number): number =>
	Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

const shimPid = (): number =>
	processes().find(({ words }) => words.includes('shim') && words.includes(pod))?.pid ??
	assert.fail('no shim');

/** The dd in the container. */
const ddPid = (): number =>
	processes().find(
		({ words, cgroups }) => words[0] === 'dd' && cgroups.some((path) => path.includes(container)),
	)?.pid ?? assert.fail('no dd');

/** Remembers what daemon and shim have now, and how much more they ever had when it looked again. */
function watchMemory(): { look(): void; check(test: TestContext): void } {
	const pids = { daemon: stage.daemon.process.child.pid ?? 0, shim: shimPid() };
	const before = { daemon: residentMb(pids.daemon), shim: residentMb(pids.shim) };
	const grown = { daemon: 0, shim: 0 };
	return {
		look() {
			for (const who of ['daemon', 'shim'] as const)
				grown[who] = Math.max(grown[who], residentMb(pids[who]) - before[who]);
		},
		check(test) {
			const told = (['daemon', 'shim'] as const).map(
				(who) => `${who} ${before[who].toFixed(1)} MB, then at most ${grown[who].toFixed(1)} more`,
			);
			test.diagnostic(told.join('; '));
			assert.ok(grown.daemon < DAEMON_MAY_GROW_MB, `the daemon grew by ${grown.daemon} MB`);
			assert.ok(grown.shim < SHIM_MAY_GROW_MB, `the shim grew by ${grown.shim} MB`);
		},
	};
}

/** Nothing was moved between two looks, with a call to the daemon and the shim in between. */
async function standsStill(what: string, moved: () => number): Promise<void> {
	let seen = -1;
	await until(what, async () => {
		const stands = moved() === seen;
		seen = moved();
		await stage.daemon.cri.ExecSync({ container_id: container, cmd: ['true'], timeout: '20' });
		return stands;
	});
}

const writtenBy = (pid: number): number => Number(/^wchar: (\d+)/m.exec(read(`/proc/${pid}/io`))?.[1]);

for (const transport of ['spdy', 'websocket'] satisfies Transport[])
	describe(`much, over ${transport}`, () => {
		it('a reader that stops again and again', async (test) => {
			const count = String(TOTAL_BYTES / CHUNK_BYTES);
			const words = ['dd', 'if=/dev/zero', `bs=${CHUNK_BYTES}`, `count=${count}`];
			const client = await exec(words, { transport, countsOnly: true });
			await until('something comes', () => client.receivedBytes() > 50_000_000);
			const memory = watchMemory();
			const writer = ddPid();
			for (let stop = 1; stop < STOPS; stop++) {
				await comesTo(client, (TOTAL_BYTES / STOPS) * stop);
				client.pause();
				await standsStill('the command waits', () => writtenBy(writer));
				memory.look();
				client.resume();
			}
			assert.match(await client.status(), /"status":"Success"/);
			memory.look();
			memory.check(test);
			assert.equal(client.receivedBytes() - client.stderr().length, TOTAL_BYTES);
		});

		it('a command that stops again and again', async (test) => {
			const words = ['dd', 'of=/dev/null', `bs=${CHUNK_BYTES}`, 'iflag=fullblock'];
			const client = await exec(words, { transport, stdin: true });
			const chunk = Buffer.alloc(CHUNK_BYTES);
			let sent = 0;
			const sendTo = async (bytes: number) => {
				for (; sent < bytes; sent += CHUNK_BYTES) await client.handOver(chunk);
			};
			await sendTo(50_000_000);
			const memory = watchMemory();
			const reader = ddPid();
			for (let stop = 1; stop <= STOPS; stop++) {
				process.kill(reader, 'SIGSTOP');
				const sending = sendTo((TOTAL_BYTES / STOPS) * stop);
				await standsStill('we wait', () => sent);
				memory.look();
				process.kill(reader, 'SIGCONT');
				await sending;
			}
			client.endStdin();
			assert.match(await client.status(), /"status":"Success"/);
			memory.look();
			memory.check(test);
			assert.match(client.stderr(), new RegExp(`^${TOTAL_BYTES / CHUNK_BYTES}\\+0 records in`));
		});
	});

/** Waits for as long as it takes: ten gigabytes are more than a test usually waits for. */
async function comesTo(client: CommandClient, bytes: number): Promise<void> {
	while (client.receivedBytes() < bytes) {
		const before = client.receivedBytes();
		await until('more comes', () => client.receivedBytes() > before);
	}
}
