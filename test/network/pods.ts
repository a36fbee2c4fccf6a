/** Pods for network tests: a network namespace with a process, and the hooks that a shim would run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../../src/base/ids.ts';
import type {
	NetworkProvider,
	NetworkResult,
	PortMapping,
	PreparedNetwork,
	SandboxNetworkRequest,
} from '../../src/network/types.ts';
import { must, run } from './private-host.ts';

export const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'gantry-network-'));

export const port = (mapping: Partial<PortMapping> = {}): PortMapping => ({
	protocol: 'tcp',
	containerPort: 80,
	hostPort: 8080,
	hostIp: '',
	...mapping,
});

/** Answers every TCP connection on port 80 and every datagram on port 53 with the pod's name and the peer's address. */
const SERVER = `
const name = process.argv[1];
const tcp = require('net').createServer((s) => { s.on('error', () => {}); s.end(name + ' ' + s.remoteAddress + '\\n'); });
const udp = require('dgram').createSocket('udp6');
udp.on('message', (m, peer) => udp.send(name + ' ' + peer.address + '\\n', peer.port, peer.address));
tcp.listen(80, '::', () => udp.bind(53, '::', () => console.log('ready')));
`;

/** A network namespace that lives as long as its process. */
export class Namespace {
	static readonly #all = new Set<Namespace>();
	readonly process: ChildProcess;
	readonly #name: string;

	private constructor(process: ChildProcess, name: string) {
		this.process = process;
		this.#name = name;
		Namespace.#all.add(this);
	}

	/** Ends those that a failed test has left. */
	static async endAll(): Promise<void> {
		await Promise.all([...Namespace.#all].map((one) => one.end()));
	}

	static async make(name: string): Promise<Namespace> {
		const process = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
		const own = await readlink('/proc/self/ns/net');
		while ((await readlink(`/proc/${process.pid}/ns/net`)) === own) await new Promise(setImmediate);
		return new Namespace(process, name);
	}

	get pid(): number {
		return this.process.pid ?? 0;
	}

	/** Runs a program in it. */
	run(...argv: string[]): Promise<string> {
		return must('nsenter', '--target', String(this.pid), '--net', ...argv);
	}

	/** Starts the answering server; resolves when it listens. */
	async serve(): Promise<void> {
		const server = spawn(
			'nsenter',
			['--target', String(this.pid), '--net', process.execPath, '-e', SERVER, this.#name],
			{
				stdio: ['ignore', 'pipe', 'inherit'],
			},
		);
		this.process.once('exit', () => server.kill('SIGKILL'));
		await once(server.stdout, 'data');
	}

	/** Asks a server from here: `name address-of-the-asker`, or '' when nothing answers. */
	ask(address: string, port: number, protocol: 'tcp' | 'udp' = 'tcp', fromPort = 0): Promise<string> {
		return askFrom(['nsenter', '--target', String(this.pid), '--net'], address, port, protocol, fromPort);
	}

	async end(): Promise<void> {
		if (this.process.exitCode !== null || this.process.signalCode !== null) return;
		this.process.kill('SIGKILL');
		await once(this.process, 'exit');
	}
}

const CLIENT = `
const [address, port, protocol, from] = process.argv.slice(1);
const out = (data) => { process.stdout.write(data.toString()); };
if (protocol === 'tcp') {
  const s = require('net').connect(Number(port), address);
  s.setTimeout(3000, () => s.destroy()); s.on('data', out); s.on('error', () => {});
} else {
  const s = require('dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
  s.on('message', (m) => { out(m); s.close(); }); s.on('error', () => {});
  s.bind(Number(from), () => s.send('?', Number(port), address)); setTimeout(() => process.exit(0), 3000).unref();
}
`;

async function askFrom(
	prefix: readonly string[],
	address: string,
	port: number,
	protocol: 'tcp' | 'udp',
	fromPort = 0,
): Promise<string> {
	const [program = process.execPath, ...args] = [...prefix, process.execPath];
	return (
		await run([program, ...args, '-e', CLIENT, address, String(port), protocol, String(fromPort)])
	).stdout.trim();
}

/** Asks from the host of the test. */
export const ask = (address: string, port: number, protocol: 'tcp' | 'udp' = 'tcp'): Promise<string> =>
	askFrom([], address, port, protocol);

export interface Pod {
	readonly id: string;
	readonly folder: string;
	readonly namespace: Namespace;
	readonly prepared: PreparedNetwork;
	readonly result: NetworkResult;
	/** First IPv4 and first IPv6 address. */
	readonly v4: string;
	readonly v6: string;
}

export const request = (
	id: string,
	folder: string,
	part: Partial<SandboxNetworkRequest> = {},
): SandboxNetworkRequest => ({
	sandboxId: id,
	namespace: 'default',
	name: 'pod',
	uid: 'uid-1',
	hostname: 'pod',
	portMappings: [],
	dns: { servers: [], searches: [], options: [] },
	annotations: {},
	labels: {},
	cgroupPath: '/test/pod',
	folder,
	...part,
});

type Hooks = PreparedNetwork['hooks']['createRuntime'];

/** Runs hooks as a runtime does: the state on stdin. */
export async function runHooks(hooks: Hooks, id: string, pid: number): Promise<void> {
	for (const hook of hooks ?? []) {
		const state = {
			ociVersion: '1.2.0',
			id,
			status: pid === 0 ? 'stopped' : 'creating',
			pid,
			bundle: '/nowhere',
		};
		const { code, stderr } = await run([hook.path, ...(hook.args?.slice(1) ?? [])], {
			stdin: JSON.stringify(state),
			...(hook.args?.[0] === undefined ? {} : { argv0: hook.args[0] }),
		});
		if (code !== 0) throw new Error(`hook ${hook.args?.join(' ')}: ${code} ${stderr}`);
	}
}

/** What a shim does with the provider's wishes: pins, hooks, and the result. A pod with a server in it. */
export async function startPod(
	network: NetworkProvider,
	folder: string,
	part: Partial<SandboxNetworkRequest> = {},
): Promise<Pod> {
	const id = newId();
	const own = join(folder, 'sandboxes', id);
	await mkdir(own, { recursive: true });
	const prepared = await network.prepare(request(id, own, part));
	const namespace = await Namespace.make(part.name ?? 'pod');
	try {
		for (const { name, path } of prepared.pins) {
			await must('touch', path);
			await must('mount', '--bind', `/proc/${namespace.pid}/ns/${name}`, path);
		}
		await runHooks(prepared.hooks.createRuntime, id, namespace.pid);
		const result = await prepared.result();
		await namespace.serve();
		const v4 = result.ips.find((ip) => !ip.includes(':')) ?? '';
		const v6 = result.ips.find((ip) => ip.includes(':')) ?? '';
		return { id, folder: own, namespace, prepared, result, v4, v6 };
	} catch (error) {
		await namespace.end();
		await prepared.abandon();
		throw error;
	}
}

/** Ends a pod as a shim does: kill, poststop hooks, pins, and then the daemon's release. */
export async function stopPod(network: NetworkProvider, pod: Pod): Promise<string> {
	await pod.namespace.end();
	await runHooks(pod.prepared.hooks.poststop, pod.id, 0);
	for (const { path } of pod.prepared.pins) {
		await run(['umount', '--lazy', path]);
		await run(['rm', '-f', path]);
	}
	return network.release(pod.id, pod.folder, pod.result);
}

export const living = (...pods: readonly Pod[]) =>
	pods.map(({ id, folder, result }) => ({
		sandboxId: id,
		folder,
		result: JSON.parse(JSON.stringify(result)) as NetworkResult,
	}));
