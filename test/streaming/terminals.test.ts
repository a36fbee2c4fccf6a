/** What people type: exec, attach and port-forward of crictl and of gantry, in a real terminal. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hasCrictl } from '../crictl/crictl.ts';
import { type Stage, setStage } from '../crictl/stage.ts';
import { makeCertificate } from '../support/certificate.ts';
import { Terminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const GANTRY = fileURLToPath(new URL('../../hack/gantry', import.meta.url));
const CTRL_C = '\x03';
const CTRL_D = '\x04';
const DETACH = '\x10\x11';
/** Answers how many bytes it was told, after the other side has ended its. */
const COUNTER = 'busybox nc -ll -p 80 -e wc -c & ';

let stage: Stage;
let pod = '';
let main = '';
/** Has a terminal and a standard input. */
let shell = '';

before(async () => {
	stage = await setStage();
	const { cri } = stage.daemon;
	await cri.PullImage({ image: { image: stage.image } });
	pod = (await cri.RunPodSandbox({ config: stage.pod })).pod_sandbox_id;
	main = await start({ ...stage.container('main'), command: ['sh', '-c', `${COUNTER} exec sleep 10000`] });
	shell = await start({
		...stage.container('shell'),
		command: ['sh', '-c', 'while :; do sh -i; done'],
		stdin: true,
		tty: true,
		log_path: 'shell.log',
	});
});
after(() => stage[Symbol.asyncDispose]());

async function start(config: object): Promise<string> {
	const { cri } = stage.daemon;
	const request = { pod_sandbox_id: pod, config: { ...config, envs: [] }, sandbox_config: stage.pod };
	const { container_id } = await cri.CreateContainer(request);
	await cri.StartContainer({ container_id });
	return container_id;
}

interface Command {
	readonly name: string;
	readonly skip: string | false;
	exec(...args: readonly string[]): string[];
	attach(...args: readonly string[]): string[];
	portForward(...args: readonly string[]): string[];
}

const crictl = (transport: string): Command => {
	const command =
		(verb: string) =>
		(...args: readonly string[]) => [
			...['crictl', '--config', '/dev/null', '--runtime-endpoint', stage.daemon.address, '--timeout', '30s'],
			...[verb, '--transport', transport, ...args],
		];
	return {
		name: `crictl over ${transport}`,
		skip: hasCrictl ? false : `crictl is not on PATH: its streams over ${transport} were NOT tested`,
		exec: command('exec'),
		attach: command('attach'),
		portForward: command('port-forward'),
	};
};

const gantry: Command = (() => {
	const command =
		(verb: string) =>
		(...args: readonly string[]) => [
			GANTRY,
			...['--config', join(stage.daemon.folder, 'gantry.toml'), '--address', stage.daemon.address],
			...[verb, ...args],
		];
	return {
		name: 'gantry',
		skip: false,
		exec: command('exec'),
		attach: command('attach'),
		portForward: command('port-forward'),
	};
})();

/** Runs a program without a terminal: its input is a pipe that ends. */
async function pipe(argv: readonly string[], input: string) {
	const [program = '', ...args] = argv;
	const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
	let [stdout, stderr] = ['', ''];
	child.stdout.on('data', (chunk) => {
		stdout += chunk;
	});
	child.stderr.on('data', (chunk) => {
		stderr += chunk;
	});
	// A program that does not read it to its end is no error.
	child.stdin.on('error', () => {});
	child.stdin.end(input);
	const [code] = await once(child, 'close');
	return { code, stdout, stderr };
}

/** Port-forward in the background, until it listens. */
async function forwarding(
	argv: readonly string[],
): Promise<{ child: ChildProcess; port: number; said(): string }> {
	const [program = '', ...args] = argv;
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
	let text = '';
	for (const stream of [child.stdout, child.stderr])
		stream?.on('data', (chunk) => {
			text += chunk;
		});
	const port = () => Number(/127\.0\.0\.1:(\d+) -> \d+/.exec(text)?.[1] ?? 0);
	await until('it listens', () => port() > 0 || child.exitCode !== null);
	assert.ok(port() > 0, text);
	return { child, port: port(), said: () => text };
}

/** Says something, ends its side, and answers what came back. */
async function say(port: number, words: string | Buffer): Promise<string> {
	const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
	let answer = '';
	socket.on('data', (chunk) => {
		answer += chunk;
	});
	socket.end(words);
	await once(socket, 'close');
	return answer;
}

for (const command of [crictl('spdy'), crictl('websocket'), gantry])
	describe(`${command.name}`, { skip: command.skip }, () => {
		it('exec -it: a terminal of its size, that is resized, and the exit code', async () => {
			using terminal = new Terminal(command.exec('-it', main, ...(command === gantry ? ['--'] : []), 'sh'));
			await until('it has the size', async () => {
				terminal.type('stty size\n');
				return /^30 100$/m.test(terminal.output);
			});
			terminal.resize(132, 43);
			await until('it has the new size', async () => {
				terminal.type('stty size\n');
				return /^43 132$/m.test(terminal.output);
			});
			terminal.type("(echo slee''ping; exec sleep 1000)\n");
			await terminal.shows('sleeping');
			terminal.type(CTRL_C);
			await terminal.shows('^C');
			terminal.type('echo interrupted $?\n');
			await terminal.shows('interrupted 130');
			terminal.type('exit 7\n');
			const { code, isRestored } = await terminal.ended();
			// crictl has exit codes of its own.
			assert.equal(code, command === gantry ? 7 : 1);
			assert.ok(isRestored);
		});

		it('attach -it: joins the shell, and its end is not the end of the container', async () => {
			using terminal = new Terminal(command.attach('-it', shell));
			await until('the shell answers', async () => {
				terminal.type('echo attached $((40 + 1))\n');
				return terminal.output.includes('attached 41');
			});
			terminal.resize(91, 37);
			await until('it has the new size', async () => {
				terminal.type('stty size\n');
				return /^37 91$/m.test(terminal.output);
			});
			if (command === gantry) {
				terminal.type(DETACH);
				const { code, isRestored } = await terminal.ended();
				assert.deepEqual([code, isRestored], [0, true]);
				assert.match(terminal.output, /Detached from container .*, which goes on\./);
			}
			const { status } = await stage.daemon.cri.ContainerStatus({ container_id: shell });
			assert.equal(status?.state, 'CONTAINER_RUNNING');
		});

		it('port-forward: several connections at once, each ended by us before the answer comes', async () => {
			const { child, port } = await forwarding(command.portForward(pod, ':80'));
			try {
				const sizes = [0, 1, 100_000, 3_000_000];
				const answers = await Promise.all(sizes.map((size) => say(port, Buffer.alloc(size))));
				assert.deepEqual(
					answers,
					sizes.map((size) => `${size}\n`),
				);
			} finally {
				child.kill('SIGINT');
				await once(child, 'close');
			}
		});
	});

describe('gantry, more than crictl has', () => {
	it('exec -i: standard input from a pipe ends by itself', async () => {
		const { code, stdout, stderr } = await pipe(
			gantry.exec('-i', main, '--', 'sh', '-c', 'cat; exit 3'),
			'x',
		);
		assert.deepEqual([code, stdout, stderr], [3, 'x', '']);
		const much = 'much '.repeat(1_000_000);
		assert.equal((await pipe(gantry.exec('-i', main, '--', 'cat'), much)).stdout, much);
	});

	it('exec -i: a command that does not read its input ends all the same; both outputs are told apart', async () => {
		const { code, stdout, stderr } = await pipe(
			gantry.exec('-i', main, '--', 'sh', '-c', 'echo out; echo err >&2'),
			'nobody reads this\n'.repeat(100_000),
		);
		assert.deepEqual([code, stdout, stderr], [0, 'out\n', 'err\n']);
	});

	it('exec -i: a command that ends does not wait for the end of our input', async () => {
		const [program = '', ...args] = gantry.exec('-i', main, '--', 'sh', '-c', 'read word; exit $word');
		const child = spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'] });
		child.stdin.write('5\n');
		const [code] = await once(child, 'close');
		assert.equal(code, 5);
	});

	it('exec: a reader of our output that is slow makes the command wait, not our memory grow', async () => {
		const total = 400_000_000;
		const [program = '', ...args] = gantry.exec('-i', main, '--', 'head', '-c', String(total), '/dev/zero');
		const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
		const [first] = await once(child.stdout, 'data');
		child.stdout.pause();
		const resident = () =>
			Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024;
		await until('it stands still', async () => {
			const before = resident();
			await new Promise((resolve) => setTimeout(resolve, 200));
			return resident() - before < 100_000;
		});
		assert.ok(resident() < total / 2, `${resident()} bytes of memory`);
		let received = first.length;
		child.stdout.on('data', (chunk) => {
			received += chunk.length;
		});
		child.stdout.resume();
		const [code] = await once(child, 'close');
		assert.deepEqual([code, received], [0, total]);
	});

	it('exec: what cannot be is said with what to do', async () => {
		const missing = await pipe(gantry.exec('-i', main, '--', 'no-such-program'), '');
		assert.match(missing.stderr, /^gantry: .*no-such-program/);
		assert.equal(missing.code, 127);
		const pipeless = await pipe(gantry.exec('-it', main, '--', 'sh'), '');
		assert.equal(pipeless.code, 2);
		assert.match(pipeless.stderr, /standard input is none: leave out -t/);
	});

	it('attach: output from now on; Ctrl-D in the shell only ends that shell', async () => {
		using terminal = new Terminal(gantry.attach('-it', '--detach-keys', 'ctrl-x', shell));
		await until('the shell answers', async () => {
			terminal.type('echo here $((40 + 2))\n');
			return terminal.output.includes('here 42');
		});
		terminal.type(CTRL_D);
		terminal.type('echo again $((40 + 3))\n');
		await terminal.shows('again 43');
		terminal.type('\x18');
		assert.deepEqual(await terminal.ended(), { code: 0, isRestored: true });
	});

	it('a signal in raw mode leaves the terminal as it was', async () => {
		for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
			using terminal = new Terminal(gantry.exec('-it', main, '--', 'sh', '-c', 'echo begun; sleep 1000'));
			await terminal.shows('begun');
			process.kill(terminal.pidOf(/^\S*node\S* .* exec /), signal);
			const { code, isRestored } = await terminal.ended();
			assert.ok(isRestored, signal);
			assert.notEqual(code, 0);
		}
	});

	it('port-forward: nobody listens at the port: it says so, and goes on', async () => {
		const { child, port, said } = await forwarding(gantry.portForward(pod, ':81', ':80'));
		try {
			assert.equal(await say(port, 'x').catch(({ code }) => code), 'ECONNRESET');
			await until('it says so', () =>
				said().includes('nobody listens there, neither at 127.0.0.1 nor at ::1'),
			);
			const other = Number(/127\.0\.0\.1:(\d+) -> 80/.exec(said())?.[1]);
			assert.equal(await say(other, 'x'), '1\n');
		} finally {
			child.kill('SIGINT');
			const [code] = await once(child, 'close');
			assert.equal(code, 0);
		}
	});

	it('a daemon that goes away: the terminal is as before, and what was lost is said', async () => {
		using terminal = new Terminal(gantry.exec('-it', main, '--', 'sh', '-c', 'echo begun; sleep 1000'));
		await terminal.shows('begun');
		await stage.daemon.stop('SIGKILL');
		const { code, isRestored } = await terminal.ended();
		await stage.daemon.start();
		assert.deepEqual([code, isRestored], [4, true]);
		assert.match(terminal.output, /gantry: The daemon broke off the streams of sh in container/);
	});

	it('a streaming server with TLS: the certificate that the daemon names is trusted, and no other', async () => {
		const { daemon } = stage;
		const file = (name: string) => join(daemon.folder, name);
		const own = { key: file('key.pem'), certificate: file('cert.pem') };
		// It names no address, and none is needed: it is that very one.
		makeCertificate(own, 'gantry');
		await daemon.stop();
		writeFileSync(
			file('gantry.toml'),
			`[streaming]\ntls_certificate = "${own.certificate}"\ntls_key = "${own.key}"\n`,
		);
		await daemon.start();
		// The command reads no configuration, and no key.
		writeFileSync(file('gantry.toml'), '');
		const cat = () => pipe(gantry.exec('-i', main, '--', 'cat'), 'safe');
		assert.deepEqual(await cat(), { code: 0, stdout: 'safe', stderr: '' });
		const { child, port } = await forwarding(gantry.portForward(pod, ':80'));
		assert.equal(await say(port, 'safe'), '4\n');
		child.kill('SIGINT');
		await once(child, 'close');

		// Half of a new pair: the server shows the old one.
		makeCertificate({ ...own, key: file('other.pem') }, 'other');
		const other = await cat();
		assert.equal(other.code, 4);
		assert.match(
			other.stderr,
			/ is not trusted: self-signed certificate; the daemon names \S+cert\.pem \(streaming\.tls_certificate\), which it does not show, or .* with its streaming\.tls_key\n$/,
		);
		rmSync(own.certificate);
		const gone = await cat();
		assert.equal(gone.code, 4);
		assert.match(gone.stderr, /which cannot be read here: ENOENT.*\(the key is not needed\)\n$/);
	});
});
