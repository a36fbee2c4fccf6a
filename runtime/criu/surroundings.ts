import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from '#base/errors.ts';
import { inTurns } from '#base/turns.ts';

/** What the processes of a container hold and we make: it is named when they are saved, and given when they are restored. */
export interface Surroundings {
	/** Mount points in the container that CRIU does not mount itself, in their order. */
	readonly mounts: readonly string[];
	/** CRIU's names of what is at the standard streams, `pipe:[1234]` or `file[2c:3]`; '' when nobody holds it any more. */
	readonly stdin: string;
	readonly stdout: string;
	readonly stderr: string;
}

/** One descriptor of a process. */
export interface OpenFile {
	readonly pid: number;
	readonly fd: number;
	/** As /proc/PID/fd shows it. */
	readonly target: string;
	readonly isWritable: boolean;
	readonly mountId: number;
	readonly inode: bigint;
}

/** The processes must be frozen. `pids`: all of the container, `init` among them; `shim`: who holds the other ends. */
export async function readSurroundings(
	init: number,
	pids: readonly number[],
	shim: number,
): Promise<Surroundings> {
	const mountInfo = readFileSync(`/proc/${init}/mountinfo`, 'utf8');
	const theirs = await openFiles([shim]);
	const pipes = new Set(theirs.map(({ target }) => target).filter(isPipe));
	const files = await openFiles([init, ...pids.filter((pid) => pid !== init)]);
	return { mounts: externalMounts(mountInfo), ...standardStreams(init, files, pipes, mountIds(mountInfo)) };
}

/** All but the root and what shows processes: CRIU makes these anew, and binds on proc with them. Pure. */
export function externalMounts(mountInfo: string): string[] {
	const ours = mountLines(mountInfo).filter(({ point, type }) => point !== '/' && type !== 'proc');
	// One over another has the same name; what is below cannot be seen.
	return [...new Set(ours.map(({ point }) => point))];
}

function mountLines(mountInfo: string): { id: number; point: string; type: string }[] {
	const lines = mountInfo.split('\n').filter((line) => line !== '');
	return lines.map((line) => {
		const [id, , , , point = ''] = line.split(' ');
		const type = line.split(' - ')[1]?.split(' ')[0] ?? '';
		return {
			id: Number(id),
			point: point.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
			type,
		};
	});
}

const mountIds = (mountInfo: string): ReadonlySet<number> =>
	new Set(mountLines(mountInfo).map(({ id }) => id));
const isPipe = (target: string): boolean => target.startsWith('pipe:');

/**
 * The pipes that the shim has the other ends of, and the null device, which is on no mount of the container. A
 * process may have closed or redirected its own, so those of all are looked at; what stands at 1 and 2 of init is
 * taken at its word. Pure.
 */
export function standardStreams(
	init: number,
	files: readonly OpenFile[],
	shimPipes: ReadonlySet<string>,
	mounts: ReadonlySet<number>,
): Omit<Surroundings, 'mounts'> {
	const ours = files.filter(({ target }) => shimPipes.has(target));
	const outputs = [...new Set(ours.filter(({ isWritable }) => isWritable).map(({ target }) => target))];
	const at = (fd: number) =>
		ours.find((file) => file.pid === init && file.fd === fd && file.isWritable)?.target;
	const stderr = at(2) ?? outputs.find((target) => target !== at(1) && at(1) !== undefined);
	const stdout = at(1) ?? outputs.find((target) => target !== stderr);
	const input = ours.find(({ isWritable }) => !isWritable)?.target;
	const strange = files.find((file) => !isAnonymous(file.target) && !mounts.has(file.mountId));
	const nothing = strange && `file[${strange.mountId.toString(16)}:${strange.inode.toString(16)}]`;
	return {
		stdin: input ?? nothing ?? '',
		stdout: stdout ?? '',
		stderr: stderr === stdout ? '' : (stderr ?? ''),
	};
}

/** `pipe:[1]`, `socket:[2]`, `anon_inode:[eventpoll]`, `/memfd:name (deleted)`: on no mount that anyone sees. */
const isAnonymous = (target: string): boolean => !target.startsWith('/') || target.startsWith('/memfd:');

/** In turns: there may be many thousands. The files themselves are not asked, for one of FUSE or NFS may never answer. */
async function openFiles(pids: readonly number[]): Promise<OpenFile[]> {
	const all = await inTurns(pids, (pid) => readdirSync(`/proc/${pid}/fd`).map((name) => ({ pid, name })));
	const files = await inTurns(all.flat(), ({ pid, name }) => openFile(pid, name));
	return files.filter((file) => file !== undefined);
}

function openFile(pid: number, name: string): OpenFile | undefined {
	try {
		const info = readFileSync(`/proc/${pid}/fdinfo/${name}`, 'utf8');
		const target = readlinkSync(`/proc/${pid}/fd/${name}`);
		return { pid, fd: Number(name), target, ...parseFdInfo(info) };
	} catch (error) {
		// The shim goes on opening and closing.
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw error;
	}
}

/** /proc/PID/fdinfo/N, proc_pid_fdinfo(5). Pure. */
export function parseFdInfo(info: string): Pick<OpenFile, 'isWritable' | 'mountId' | 'inode'> {
	const field = (name: string) => new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(info)?.[1];
	return {
		isWritable: (parseInt(field('flags') ?? '0', 8) & 3) !== 0,
		mountId: Number(field('mnt_id') ?? -1),
		inode: BigInt(field('ino') ?? 0),
	};
}
