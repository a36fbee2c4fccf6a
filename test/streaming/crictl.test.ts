/** An untouched crictl: exec, attach and port-forward over both of its transports. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hasCrictl } from '../crictl/crictl.ts';
import { TestBed } from '../lifecycle/harness.ts';
import { until } from '../support/until.ts';

describe('crictl', {
	skip: hasCrictl ? false : 'crictl is not on PATH: streams with a real crictl did NOT run',
}, () => {
	let bed: TestBed;
	let pod = '';
	let container = '';
	before(async () => {
		bed = await TestBed.start();
		pod = await bed.runPod();
		container = await bed.run(pod);
	});
	after(() => bed[Symbol.asyncDispose]());

	interface Running {
		readonly process: ChildProcess;
		readonly out: () => string;
		readonly err: () => string;
		readonly code: Promise<number | null>;
	}
	function crictl(...args: readonly string[]): Running {
		const address = `unix://${join(bed.folder, 'cri.sock')}`;
		const options = ['--config', '/dev/null', '--runtime-endpoint', address, '--image-endpoint', address];
		const process = spawn('crictl', [...options, ...args], { stdio: 'pipe' });
		const texts = { out: '', err: '' };
		process.stdout.on('data', (data) => {
			texts.out += data;
		});
		process.stderr.on('data', (data) => {
			texts.err += data;
		});
		const code = once(process, 'close').then(([code]) => code as number | null);
		return { process, out: () => texts.out, err: () => texts.err, code };
	}

	for (const transport of ['spdy', 'websocket'])
		describe(`over ${transport}`, () => {
			it('exec: outputs, stdin, exit code', async () => {
				const script = 'cat; echo err >&2; exit 7';
				const exec = crictl('exec', '-i', '-r', transport, container, 'sh', '-c', script);
				exec.process.stdin?.end('through\n');
				assert.equal(await exec.code, 1);
				assert.equal(exec.out(), 'through\n');
				assert.match(exec.err(), /^err\n/);
				assert.match(exec.err(), /command terminated with exit code 7/);
			});

			it('exec: many bytes', async () => {
				const exec = crictl('exec', '-r', transport, container, 'head', '-c', '30000000', '/dev/zero');
				assert.equal(await exec.code, 0);
				assert.equal(exec.out().length, 30_000_000);
			});

			it('exec: a command ends with a crictl that is killed', async () => {
				const exec = crictl('exec', '-i', '-r', transport, container, 'sh', '-c', 'echo on; exec sleep 3000');
				await until('it runs', () => exec.out() === 'on\n');
				exec.process.kill('SIGKILL');
				await exec.code;
				await until('it has ended', async () =>
					bed.sh(container, "ps | grep -q '[s]leep 3000' || echo gone").then((text) => text === 'gone'),
				);
			});

			it('attach', async () => {
				const echo = await bed.run(pod, {
					command: ['sh', '-c', 'read line; echo "got $line"'],
					stdin: true,
					stdin_once: true,
				});
				const attach = crictl('attach', '-i', '-r', transport, echo);
				attach.process.stdin?.write('word\n');
				await attach.code;
				assert.equal(attach.out(), 'got word\n');
			});

			it('port-forward', async () => {
				const port = transport === 'spdy' ? '8080' : '8081';
				await bed.run(pod, { command: ['sh', '-c', `exec busybox nc -ll -p ${port} -e echo hello`] });
				const forward = crictl('port-forward', '-r', transport, pod, `:${port}`);
				const local = () => /127\.0\.0\.1:(\d+)/.exec(forward.out())?.[1];
				await until('it listens', () => local() !== undefined);
				await until('it answers', async () => {
					const nc = spawn('busybox', ['nc', '127.0.0.1', local() ?? ''], {
						stdio: ['ignore', 'pipe', 'ignore'],
					});
					return (await nc.stdout.toArray()).join('') === 'hello\n';
				});
				forward.process.kill();
				await forward.code;
			});
		});
});
