/** Makes tars for tests, well-formed and otherwise. Every field is written as told, whatever it is. */

export interface TarEntry {
	readonly name: string | Uint8Array;
	/** Default: `folder` when the name ends in a slash, else `file`. A one-character string is the type flag itself. */
	readonly type?: keyof typeof TYPE_FLAGS | (string & {});
	readonly data?: string | Uint8Array;
	/** Target of a symlink or hard link. */
	readonly target?: string;
	/** Default 0755 for folders, 0644 otherwise. */
	readonly mode?: number;
	readonly uid?: number;
	readonly gid?: number;
	/** Seconds; a string keeps its nanoseconds (as PAX). Default 1700000000. */
	readonly mtime?: number | string;
	readonly xattrs?: Readonly<Record<string, string | Uint8Array>>;
	readonly pax?: Readonly<Record<string, string | Uint8Array>>;
	readonly major?: number;
	readonly minor?: number;
	/** The size in the header when it is not that of the data. */
	readonly size?: number;
}

const TYPE_FLAGS = {
	file: '0',
	link: '1',
	symlink: '2',
	char: '3',
	block: '4',
	folder: '5',
	fifo: '6',
} as const;
const BLOCK = 512;

/** A whole tar, with its two zero blocks. */
export function makeTar(entries: readonly TarEntry[]): Buffer {
	return Buffer.concat([...entries.flatMap(encodeEntry), Buffer.alloc(2 * BLOCK)]);
}

function encodeEntry(entry: TarEntry): Buffer[] {
	const name = Buffer.from(entry.name as string);
	const target = Buffer.from(entry.target ?? '');
	const data = Buffer.from((entry.data ?? '') as string);
	const pax: Record<string, string | Uint8Array> = { ...entry.pax };
	if (name.length > 100) pax.path ??= name;
	if (target.length > 100) pax.linkpath ??= target;
	if (typeof entry.mtime === 'string') pax.mtime ??= entry.mtime;
	for (const [key, value] of Object.entries(entry.xattrs ?? {})) pax[`SCHILY.xattr.${key}`] = value;
	const records = Buffer.concat(Object.entries(pax).map(([key, value]) => paxRecord(key, value)));
	const extended =
		records.length === 0
			? []
			: [header({ name: Buffer.from('PaxHeader'), flag: 'x', size: records.length }), padded(records)];
	const slash = name.at(-1) === 0x2f;
	const type = entry.type ?? (slash ? 'folder' : 'file');
	const plain = header({
		...entry,
		name,
		target,
		flag: type in TYPE_FLAGS ? TYPE_FLAGS[type as keyof typeof TYPE_FLAGS] : type,
		size: entry.size ?? data.length,
		mode: entry.mode ?? (type === 'folder' ? 0o755 : 0o644),
		mtime: Math.trunc(Number(entry.mtime ?? 1_700_000_000)),
	});
	return [...extended, plain, padded(data)];
}

interface HeaderFields {
	readonly name: Buffer;
	readonly flag: string;
	readonly size: number;
	readonly target?: Buffer;
	readonly mode?: number;
	readonly uid?: number;
	readonly gid?: number;
	readonly mtime?: number;
	readonly major?: number;
	readonly minor?: number;
}

/** POSIX ustar header block. */
function header(fields: HeaderFields): Buffer {
	const block = Buffer.alloc(BLOCK);
	fields.name.copy(block, 0, 0, 100);
	number(block, 100, 8, fields.mode ?? 0o644);
	number(block, 108, 8, fields.uid ?? 0);
	number(block, 116, 8, fields.gid ?? 0);
	number(block, 124, 12, fields.size);
	number(block, 136, 12, fields.mtime ?? 0);
	block.write(fields.flag, 156, 1, 'latin1');
	fields.target?.copy(block, 157, 0, 100);
	block.write('ustar\x0000', 257, 'latin1');
	number(block, 329, 8, fields.major ?? 0);
	number(block, 337, 8, fields.minor ?? 0);
	block.fill(' ', 148, 156);
	const sum = block.reduce((total, byte) => total + byte, 0);
	block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
	return block;
}

/** Octal where it fits, base-256 (as GNU tar) where it does not. */
function number(block: Buffer, at: number, width: number, value: number): void {
	const octal = value.toString(8);
	if (value >= 0 && octal.length < width) {
		block.write(`${octal.padStart(width - 1, '0')}\0`, at, 'latin1');
		return;
	}
	let rest = BigInt.asUintN((width - 1) * 8, BigInt(value));
	for (let i = width - 1; i > 0; i--, rest >>= 8n) block[at + i] = Number(rest & 0xffn);
	block[at] = value < 0 ? 0xff : 0x80;
}

function paxRecord(key: string, value: string | Uint8Array): Buffer {
	const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from('\n')]);
	let length = body.length + 1;
	while (length !== body.length + String(length).length) length = body.length + String(length).length;
	return Buffer.concat([Buffer.from(String(length)), body]);
}

function padded(data: Buffer): Buffer {
	return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}
