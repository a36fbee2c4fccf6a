/** What is measured: a runtime behind its own CRI socket. */
import type { UnaryCri } from './lean-client.ts';

export interface Endpoint<Cri = UnaryCri> {
	/** As it is called in tables. */
	readonly name: string;
	/** One connection, kept over a restart of the daemon. */
	readonly cri: Cri;
	readonly address: string;
	readonly cgroupParent: string;
	/** Pods' logs go below it. */
	readonly logFolder: string;
	/** Images are kept below it. */
	readonly imageFolder: string;
	/** Whether it may say of a container which it has just stopped that it still runs. */
	readonly stopsLate: boolean;
	/** Process id of the daemon that runs now. */
	daemonPid(): number;
	/** Ends the daemon; its pods live on. */
	stopDaemon(): Promise<void>;
	/** Starts the daemon again, and settles when the process is known to be up. */
	startDaemon(): Promise<void>;
	/** Removes pods, the daemon and every file. Fails when something is left. */
	remove(): Promise<void>;
}

/** Removes all pods of a runtime. */
export async function removePods(cri: UnaryCri): Promise<void> {
	const { items } = await cri.ListPodSandbox();
	for (const { id } of items) {
		await cri.StopPodSandbox({ pod_sandbox_id: id });
		await cri.RemovePodSandbox({ pod_sandbox_id: id });
	}
}
