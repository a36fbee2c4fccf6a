import { refuse } from './context.ts';
import { MS } from './flags.ts';

/** OCI mount options, sorted by what carries them. */
export interface MountOptions {
	readonly set: bigint;
	readonly clear: bigint;
	/** MS_SHARED and so on, with MS_REC; 0: leave. */
	readonly propagation: bigint;
	readonly bind: boolean;
	readonly recursive: boolean;
	readonly recursiveReadonly: boolean;
	/** The mount is to be idmapped. */
	readonly idmap: boolean;
	/** What only the file system itself understands. */
	readonly data: readonly string[];
}

const SET: Readonly<Record<string, bigint>> = {
	ro: MS.RDONLY,
	nosuid: MS.NOSUID,
	nodev: MS.NODEV,
	noexec: MS.NOEXEC,
	sync: MS.SYNCHRONOUS,
	mand: MS.MANDLOCK,
	dirsync: MS.DIRSYNC,
	nosymfollow: MS.NOSYMFOLLOW,
	noatime: MS.NOATIME,
	nodiratime: MS.NODIRATIME,
	relatime: MS.RELATIME,
	strictatime: MS.STRICTATIME,
	lazytime: MS.LAZYTIME,
	silent: MS.SILENT,
	iversion: MS.I_VERSION,
};

const CLEAR: Readonly<Record<string, bigint>> = {
	rw: MS.RDONLY,
	suid: MS.NOSUID,
	dev: MS.NODEV,
	exec: MS.NOEXEC,
	async: MS.SYNCHRONOUS,
	nomand: MS.MANDLOCK,
	symfollow: MS.NOSYMFOLLOW,
	atime: MS.NOATIME,
	diratime: MS.NODIRATIME,
	norelatime: MS.RELATIME,
	nostrictatime: MS.STRICTATIME,
	nolazytime: MS.LAZYTIME,
	loud: MS.SILENT,
	noiversion: MS.I_VERSION,
};

/** The propagation types of mount(8) and of rootfsPropagation. */
export const PROPAGATION: Readonly<Record<string, bigint>> = {
	shared: MS.SHARED,
	slave: MS.SLAVE,
	private: MS.PRIVATE,
	unbindable: MS.UNBINDABLE,
	rshared: MS.SHARED | MS.REC,
	rslave: MS.SLAVE | MS.REC,
	rprivate: MS.PRIVATE | MS.REC,
	runbindable: MS.UNBINDABLE | MS.REC,
};

/** Known to others, refused here, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
	remount: 'a mount is made once, with its final options',
	tmpcopyup: 'copying the content of the image into a tmpfs is not supported',
};

/** Sorts the options of one mount; the later of two opposites wins. Throws INVALID_ARGUMENT naming the field. */
export function parseMountOptions(options: readonly string[], path: string): MountOptions {
	let [set, clear, propagation] = [0n, 0n, 0n];
	const found = { bind: false, recursive: false, recursiveReadonly: false, idmap: false };
	const data: string[] = [];
	for (const [index, option] of options.entries()) {
		const where = `${path}[${index}]`;
		const setFlag = SET[option];
		const clearFlag = CLEAR[option];
		const propagationFlag = PROPAGATION[option];
		if (REFUSED[option] !== undefined) throw refuse(where, `${option}: ${REFUSED[option]}`);
		if (setFlag !== undefined) [set, clear] = [set | setFlag, clear & ~setFlag];
		else if (clearFlag !== undefined) [set, clear] = [set & ~clearFlag, clear | clearFlag];
		else if (propagationFlag !== undefined) propagation = propagationFlag;
		else if (option === 'bind') found.bind = true;
		else if (option === 'rbind') found.bind = found.recursive = true;
		else if (option === 'rro') found.recursiveReadonly = true;
		else if (option === 'idmap' || option === 'ridmap') found.idmap = true;
		else if (option === '' || option.includes(','))
			throw refuse(where, `${JSON.stringify(option)} is no option`);
		else if (option !== 'defaults') data.push(option);
	}
	return { set, clear, propagation, ...found, data };
}
