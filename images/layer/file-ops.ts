import type { FileOp } from '../types.ts';
import { type ByteString, toText } from './bytes.ts';
import type { TarHeader } from './tar-reader.ts';

/** Kinds of FileOp, as the native helper numbers them (FS_OPS of the runtime's protocol). */
export const ATTRIBUTES = 1;
export const MKNOD = 2;
export const SETXATTR = 3;
export const LINK = 4;

const TYPE_BITS = { 'character-device': 0o020000, 'block-device': 0o060000, fifo: 0o010000 } as const;
export type DeviceType = keyof typeof TYPE_BITS;

const NOTHING = {
	mode: 0,
	uid: 0,
	gid: 0,
	device: 0n,
	atime_ns: 0n,
	mtime_ns: 0n,
	name: '',
	value: new Uint8Array(),
};

const owned = ({ mode, uid, gid, atimeNs, mtimeNs }: TarHeader) => ({
	mode,
	uid,
	gid,
	atime_ns: atimeNs,
	mtime_ns: mtimeNs,
});

/** A path for the native helper, which takes text. undefined: the name is no UTF-8. */
type NativePath = string;

export const attributesOp = (path: NativePath, header: TarHeader): FileOp => ({
	...NOTHING,
	kind: ATTRIBUTES,
	path,
	...owned(header),
});

/** overlayfs knows a whiteout as a character device 0:0 (kernel, filesystems/overlayfs.rst). */
export const whiteoutOp = (path: NativePath, header: TarHeader): FileOp => ({
	...NOTHING,
	kind: MKNOD,
	path,
	...owned(header),
	mode: TYPE_BITS['character-device'],
});

export function deviceOp(path: NativePath, header: TarHeader, type: DeviceType): FileOp {
	const device = type === 'fifo' ? 0n : deviceNumber(header.major, header.minor);
	return { ...NOTHING, kind: MKNOD, path, ...owned(header), mode: TYPE_BITS[type] | header.mode, device };
}

export const xattrOp = (path: NativePath, name: string, value: Uint8Array): FileOp => ({
	...NOTHING,
	kind: SETXATTR,
	path,
	name,
	value,
});

export const opaqueOp = (path: NativePath): FileOp =>
	xattrOp(path, 'trusted.overlay.opaque', Buffer.from('y'));

/** `path` becomes another name of `target`. */
export const linkOp = (path: NativePath, target: NativePath): FileOp => ({
	...NOTHING,
	kind: LINK,
	path,
	name: target,
});

/** dev_t as glibc's makedev builds it. */
function deviceNumber(major: number, minor: number): bigint {
	const [high, low] = [BigInt(major), BigInt(minor)];
	return (
		((high & 0xffff_f000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffff_ff00n) << 12n) | (low & 0xffn)
	);
}

/** The path as text, '.' for the root; undefined when it is no UTF-8. */
export function nativePath(path: ByteString): NativePath | undefined {
	return path === '' ? '.' : toText(path);
}
