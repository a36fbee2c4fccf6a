/** Debian's containerd as an endpoint, run by hack/peer-containerd in a temporary folder. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeCgroup } from './cgroups.ts';
import { writeCniConf } from './cni.ts';
import { type Endpoint, removePods } from './endpoint.ts';
import { connectLean } from './lean-client.ts';
import { machineName } from './private-machine.ts';
import { answers } from './wait.ts';

const SCRIPT = fileURLToPath(new URL('../../hack/peer-containerd', import.meta.url));
const FETCH_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 30_000;

/** Unpacks its packages into this folder. Wants the network. */
export function fetchPeer(folder: string): void {
	execFileSync(SCRIPT, ['fetch', folder], {
		stdio: ['ignore', 'inherit', 'inherit'],
		timeout: FETCH_TIMEOUT_MS,
	});
}

/** Starts it from those packages and waits until it answers. It pulls `sandboxImage` when it is first needed. */
export async function startPeer(packages: string, sandboxImage: string): Promise<Endpoint> {
	const cgroup = `${machineName()}p`;
	const folder = mkdtempSync(join(tmpdir(), 'bench-peer-'));
	const address = `unix://${join(folder, 'cri.sock')}`;
	const logFolder = join(folder, 'logs');
	mkdirSync(logFolder);
	writeCniConf(folder, 'peer0', '10.202.0.0/16');
	let child = spawnPeer(packages, folder, sandboxImage);
	const cri = connectLean(address);
	const stopDaemon = async (): Promise<void> => {
		child.kill('SIGTERM');
		if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
	};
	const remove = async (): Promise<void> => {
		try {
			await removePods(cri);
		} finally {
			cri.close();
			await stopDaemon();
			removeCgroup(cgroup);
		}
	};
	const endpoint: Endpoint = {
		name: 'containerd',
		cri,
		address,
		cgroupParent: `/${cgroup}`,
		logFolder,
		imageFolder: join(folder, 'root'),
		stopsLate: true,
		daemonPid: () => child.pid ?? 0,
		stopDaemon,
		async startDaemon() {
			child = spawnPeer(packages, folder, sandboxImage);
		},
		remove,
	};
	try {
		await answers(address, () => child.exitCode === null, START_TIMEOUT_MS);
	} catch (cause) {
		const said = readFileSync(join(folder, 'daemon.log'), 'utf8').slice(-2000);
		await stopDaemon();
		throw new Error(`hack/peer-containerd did not start: ${said}`, { cause });
	}
	return endpoint;
}

function spawnPeer(packages: string, folder: string, sandboxImage: string): ChildProcess {
	const log = openSync(join(folder, 'daemon.log'), 'a');
	const child = spawn(SCRIPT, ['run', packages, folder, sandboxImage], { stdio: ['ignore', log, log] });
	closeSync(log);
	return child;
}
