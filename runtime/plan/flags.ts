/** mount(2) flags, as the operations carry them (u64). */
export const MS = {
	RDONLY: 1n,
	NOSUID: 2n,
	NODEV: 4n,
	NOEXEC: 8n,
	SYNCHRONOUS: 16n,
	MANDLOCK: 64n,
	DIRSYNC: 128n,
	NOSYMFOLLOW: 256n,
	NOATIME: 1024n,
	NODIRATIME: 2048n,
	REC: 1n << 14n,
	SILENT: 1n << 15n,
	UNBINDABLE: 1n << 17n,
	PRIVATE: 1n << 18n,
	SLAVE: 1n << 19n,
	SHARED: 1n << 20n,
	RELATIME: 1n << 21n,
	I_VERSION: 1n << 23n,
	STRICTATIME: 1n << 24n,
	LAZYTIME: 1n << 25n,
} as const;

/** clone(2) namespace flags by OCI namespace type. */
export const CLONE_NEW = {
	time: 0x80,
	mount: 0x20000,
	cgroup: 0x2000000,
	uts: 0x4000000,
	ipc: 0x8000000,
	user: 0x10000000,
	pid: 0x20000000,
	network: 0x40000000,
} as const;

/** File types of mknod(2). */
export const S_IF = { c: 0o020000, u: 0o020000, b: 0o060000, p: 0o010000 } as const;

/** dev_t as the kernel's mknod takes it (the "huge" encoding of glibc's makedev). */
export function makeDevice(major: number, minor: number): bigint {
	const [ma, mi] = [BigInt(major), BigInt(minor)];
	return ((ma & 0xfffn) << 8n) | ((ma & ~0xfffn) << 32n) | (mi & 0xffn) | ((mi & ~0xffn) << 12n);
}
