import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Folders } from '../cli.ts';

/** Where `gantry run` keeps what the kubelet would keep for a pod. */
export interface PodFolders {
	/** Logs, the hosts file and emptyDir volumes, on disk. */
	readonly disk: string;
	/** emptyDir volumes of medium Memory, on the tmpfs of the state folder. */
	readonly memory: string;
	readonly logs: string;
}

export function podFolders(folders: Folders, uid: string): PodFolders {
	const disk = join(folders.root, 'pods', uid);
	return { disk, memory: join(folders.state, 'pods', uid), logs: join(disk, 'logs') };
}

/** Removes the volumes and logs of a pod. A pod that `gantry run` did not start has none. */
export async function removePodFolders(folders: Folders, uid: string): Promise<void> {
	// The uid comes from a record that any CRI client may have written: it must stay one folder's name.
	if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(uid)) return;
	const { disk, memory } = podFolders(folders, uid);
	await Promise.all([disk, memory].map((path) => rm(path, { recursive: true, force: true })));
}
