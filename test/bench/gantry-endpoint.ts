/** Gantry as an endpoint: with its own network, or with the CNI chain of the peer. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestDaemon } from '../support/daemon.ts';
import { writeCniConf } from './cni.ts';
import type { Endpoint } from './endpoint.ts';
import { connectLean } from './lean-client.ts';
import { machineName } from './private-machine.ts';

/** Starts a daemon of this checkout. Its state lies in /run, where containerd has its own. */
export async function startGantry(
	network: 'builtin' | 'cni',
	more: readonly string[] = [],
): Promise<Endpoint> {
	const aside = mkdtempSync(join(tmpdir(), 'bench-gantry-'));
	const instance = `${machineName()}${network === 'cni' ? 'c' : 'g'}`;
	const conf = network === 'cni' ? writeCniConf(aside, 'bench0', '10.201.0.0/16') : join(aside, 'none');
	const state = join('/run', instance);
	const daemon = await startTestDaemon({
		instance,
		args: [
			'--state',
			state,
			'--set',
			`network.provider=${network}`,
			'--set',
			`network.cni_conf_dir=${conf}`,
			...more,
		],
	});
	daemon.process.ignoreLog();
	const cri = connectLean(daemon.address);
	const logFolder = join(aside, 'logs');
	mkdirSync(logFolder);
	return {
		name: network === 'cni' ? 'gantry, CNI' : 'gantry',
		cri,
		address: daemon.address,
		cgroupParent: `/${instance}`,
		logFolder,
		imageFolder: join(daemon.folder, 'root/images'),
		stopsLate: false,
		daemonPid: () => daemon.process.child.pid ?? 0,
		stopDaemon: () => daemon.stop(),
		startDaemon: async () => {
			await daemon.start();
			daemon.process.ignoreLog();
		},
		async remove() {
			cri.close();
			try {
				await daemon[Symbol.asyncDispose]();
			} finally {
				rmSync(aside, { recursive: true, force: true });
				rmSync(state, { recursive: true, force: true });
			}
		},
	};
}
