/**
 * Where tests kill the daemon. Every await that changes something on the machine is one of these points, and is run
 * by `changing`; test/lifecycle/fault-points.test.ts kills a daemon at each moment of each of them and looks at what
 * the next daemon makes of it. In a daemon that nobody tests they do nothing.
 */
import { readFileSync, rmSync } from 'node:fs';

/** The points that an operation passes, in their order. Several operations pass the same ones. */
export const FAULT_POINTS = {
	RunPodSandbox: [
		'run.folder',
		'run.making',
		'network.prepare',
		'shim.start',
		'shim.adopt',
		'bundle.write',
		'run.files',
		'container.create',
		'run.network-files',
		'run.made',
	],
	CreateContainer: [
		'create.folder',
		'create.making',
		'create.log-folder',
		'create.lease',
		'bundle.write',
		'container.create',
		'create.made',
	],
	StartContainer: ['container.start', 'start.record'],
	StopContainer: ['stop.signal', 'stop.kill', 'exit.record'],
	RemoveContainer: [
		'remove.record',
		'stop.kill',
		'exit.record',
		'container.delete',
		'remove.files',
		'remove.lease',
		'record.rename',
		'record.remove',
	],
	StopPodSandbox: ['stop.kill', 'exit.record', 'container.delete', 'network.release', 'stop.record'],
	RemovePodSandbox: [
		'stop.kill',
		'exit.record',
		'container.delete',
		'network.release',
		'stop.record',
		'remove.record',
		'remove.files',
		'remove.lease',
		'record.rename',
		'record.remove',
		'shim.shutdown',
		'shim.socket',
		'remove.pod-files',
		'cgroup.remove',
	],
	PullImage: [
		'layer.folder',
		'layer.unpack',
		'layer.files',
		'layer.sync',
		'layer.record',
		'image.document',
		'image.sync',
		'image.record',
	],
	RemoveImage: ['image.unlist', 'image.documents', 'layer.unlist', 'layer.remove'],
	CheckpointContainer: [
		'checkpoint.mark',
		'checkpoint.folder',
		'checkpoint.freeze',
		'checkpoint.save',
		'checkpoint.files',
		'checkpoint.thaw',
		'checkpoint.pack',
		'checkpoint.publish',
		'checkpoint.remove',
		'checkpoint.unmark',
	],
	/** What a pod passes alone: an earlier checkpoint of it lies there. */
	CheckpointPod: ['checkpoint.replace', 'checkpoint.publish'],
	/** Beside those of RunPodSandbox. */
	RestorePod: [
		'restore.note',
		'restore.shared-memory',
		'create.making',
		'restore.files',
		'create.made',
		'restore.made',
	],
	/** CreateContainer from an archive, beside its own. */
	RestoreContainer: ['restore.unpack', 'restore.files', 'container.create', 'restore.close', 'create.made'],
	/** The hooks of a sandbox on a CNI network; those of the built-in one run in the shim, inside container.create. */
	CniAdd: ['cni.store', 'cni.loopback', 'cni.add'],
	CniDelete: ['cni.delete', 'cni.forget', 'cni.pin'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type FaultPoint = (typeof FAULT_POINTS)[keyof typeof FAULT_POINTS][number];

/** Before the change is asked for; while it is under way; when it is done and nothing has followed yet. */
export const FAULT_MOMENTS = ['before', 'during', 'after'] as const;
type FaultMoment = (typeof FAULT_MOMENTS)[number];

/** A file that holds `POINT MOMENT`; the daemon that passes there removes it and dies of SIGKILL. */
const ARMED = process.env.GANTRY_FAULT_FILE;

/** Runs one change of the machine. */
export async function changing<T>(point: FaultPoint, work: () => Promise<T> | T): Promise<T> {
	strike(point, 'before');
	const change = work();
	strike(point, 'during');
	const result = await change;
	strike(point, 'after');
	return result;
}

function strike(point: FaultPoint, moment: FaultMoment): void {
	if (ARMED === undefined || read(ARMED) !== `${point} ${moment}`) return;
	rmSync(ARMED);
	process.kill(process.pid, 'SIGKILL');
}

function read(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return '';
	}
}
