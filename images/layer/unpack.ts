import { resourceExhausted, unimplemented } from '#base/errors.ts';
import { type ByteString, show } from './bytes.ts';
import {
	attributesOp,
	type DeviceType,
	deviceOp,
	linkOp,
	nativePath,
	opaqueOp,
	whiteoutOp,
	xattrOp,
} from './file-ops.ts';
import { LayerFolder } from './layer-folder.ts';
import { LayerTree, refuse } from './layer-tree.ts';
import { type ApplyOps, OpBatch } from './op-batch.ts';
import { readTar, type TarHeader, type TarMember } from './tar-reader.ts';
import { type Whiteout, whiteoutOf } from './whiteout.ts';
import { xattrsOf } from './xattrs.ts';

export interface UnpackOptions {
	/** An empty folder of our own. */
	readonly root: string;
	readonly apply: ApplyOps;
	readonly maxEntries: number;
	readonly signal: AbortSignal;
}

export interface Unpacked {
	/** Folders, as text, that the layer needed but did not describe: they take the attributes of the layer below. */
	readonly impliedFolders: readonly string[];
}

/** Unpacks the tar of one layer in the form that overlayfs takes as a lower folder. */
export async function unpackLayer(tar: AsyncIterable<Uint8Array>, options: UnpackOptions): Promise<Unpacked> {
	const unpacking = new Unpacking(options);
	for await (const member of readTar(tar)) {
		options.signal.throwIfAborted();
		await unpacking.add(member);
		for await (const _rest of member.data);
	}
	return await unpacking.finish();
}

/** Of all entries together, on average: few layers come near to half of it. */
const NAME_BYTES_PER_ENTRY = 256;

class Unpacking {
	readonly #folder: LayerFolder;
	readonly #ops: OpBatch;
	readonly #tree = new LayerTree();
	/** Set last: whatever is made in a folder changes its time. */
	readonly #folderHeaders = new Map<ByteString, TarHeader>();
	readonly #maxEntries: number;
	#entries = 0;
	#nameBytes = 0;

	constructor({ root, apply, maxEntries }: UnpackOptions) {
		this.#folder = new LayerFolder(root);
		this.#ops = new OpBatch(apply);
		this.#maxEntries = maxEntries;
	}

	/** Implied folders count: one member's name can ask for two thousand of them. */
	#count(): void {
		if (++this.#entries > this.#maxEntries)
			throw resourceExhausted(`it has more than ${this.#maxEntries} entries`);
	}

	/** Names and targets are kept in memory until the end. */
	#countNames({ name, linkName }: TarHeader): void {
		this.#nameBytes += name.length + linkName.length;
		if (this.#nameBytes > this.#maxEntries * NAME_BYTES_PER_ENTRY)
			throw resourceExhausted(`the names of its entries take ${this.#nameBytes} bytes`);
	}

	async add({ header, data }: TarMember): Promise<void> {
		this.#count();
		this.#countNames(header);
		const whiteout = whiteoutOf(header.name);
		if (whiteout !== undefined) return await this.#addWhiteout(whiteout, header);
		switch (header.type) {
			case 'directory':
				return await this.#addFolder(header);
			case 'file':
			case 'contiguous-file':
				return await this.#addFile(header, data);
			case 'symlink':
				return await this.#addSymlink(header);
			case 'link':
				return await this.#addLink(header);
			case 'character-device':
			case 'block-device':
			case 'fifo':
				return await this.#addDevice(header, header.type);
			default:
				throw unimplemented(`entry ${show(header.name)} is of a type that is not supported`);
		}
	}

	async finish(): Promise<Unpacked> {
		for (const [path, header] of this.#folderHeaders) {
			if (this.#tree.kindOf(path) === 'folder') await this.#setAttributes(path, header);
		}
		await this.#ops.flush();
		return {
			impliedFolders: this.#tree
				.implied()
				.flatMap((path) => (path === '' ? ['.'] : (nativePath(path) ?? []))),
		};
	}

	async #addFolder(header: TarHeader): Promise<void> {
		const path = await this.#place(header.name);
		const before = this.#tree.kindOf(path);
		if (before !== 'folder') {
			await this.#clear(path);
			this.#folder.makeFolder(path);
		}
		this.#tree.set(path, { kind: 'folder' });
		this.#folderHeaders.delete(path);
		// Without what only its attributes needed: a million headers of 4 MiB would not fit into memory.
		this.#folderHeaders.set(path, { ...header, pax: {} });
		// A folder that this layer also whites out shows nothing of the layers below.
		if (before === 'whiteout') await this.#ops.add(opaqueOp(this.#native(path)));
		await this.#setXattrs(path, header);
	}

	async #addFile(header: TarHeader, data: AsyncIterable<Buffer>): Promise<void> {
		if (Object.keys(header.pax).some((key) => key.startsWith('GNU.sparse.'))) {
			throw unimplemented(`entry ${show(header.name)} is a sparse file of GNU tar, which is not supported`);
		}
		const path = await this.#placeNew(header.name);
		await this.#folder.writeFile(path, data);
		this.#tree.set(path, { kind: 'file' });
		await this.#setAttributes(path, header);
		await this.#setXattrs(path, header);
	}

	async #addSymlink(header: TarHeader): Promise<void> {
		if (header.linkName === '' || header.linkName.includes('\0') || header.linkName.length > 4095) {
			throw refuse(header.name, 'its symlink target is empty, too long or holds a NUL');
		}
		const path = await this.#placeNew(header.name);
		this.#folder.makeSymlink(path, header.linkName);
		this.#tree.set(path, { kind: 'symlink', target: header.linkName });
		await this.#setAttributes(path, header);
		await this.#setXattrs(path, header);
	}

	async #addLink(header: TarHeader): Promise<void> {
		const target = this.#tree.place(header.linkName).path;
		const kind = this.#tree.kindOf(target);
		if (kind === undefined || kind === 'whiteout') {
			throw refuse(
				header.name,
				`it is a hard link to ${show(header.linkName)}, which this layer does not hold`,
			);
		}
		if (kind === 'folder')
			throw refuse(header.name, `it is a hard link to the folder ${show(header.linkName)}`);
		const path = await this.#place(header.name);
		if (path === target) return;
		await this.#clear(path);
		if (kind === 'device') await this.#ops.add(linkOp(this.#native(path), this.#native(target)));
		else this.#folder.link(path, target);
		this.#tree.set(path, kind === 'symlink' ? this.#tree.nodeOf(target) : { kind });
	}

	async #addDevice(header: TarHeader, type: DeviceType): Promise<void> {
		for (const number of [header.major, header.minor]) {
			if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff)
				throw refuse(header.name, 'its device number is none');
		}
		const path = await this.#placeNew(header.name);
		await this.#ops.add(deviceOp(this.#native(path), header, type));
		this.#tree.set(path, { kind: 'device' });
		await this.#setXattrs(path, header);
	}

	async #addWhiteout(whiteout: Whiteout, header: TarHeader): Promise<void> {
		if (whiteout.kind === 'metadata') return;
		if (whiteout.kind === 'opaque') {
			const path = await this.#place(whiteout.folder);
			if (this.#tree.kindOf(path) !== 'folder') await this.#makeImplied(path);
			return await this.#ops.add(opaqueOp(this.#native(path)));
		}
		const path = await this.#place(whiteout.name);
		const kind = this.#tree.kindOf(path);
		// Whiteouts speak of lower layers only: what this layer holds stays (layer.md), a folder without what was below.
		if (kind === 'folder') return await this.#ops.add(opaqueOp(this.#native(path)));
		if (kind !== undefined) return;
		await this.#ops.add(whiteoutOp(this.#native(path), header));
		this.#tree.set(path, { kind: 'whiteout' });
	}

	/** Where a name lies; its parents are made. */
	async #place(name: ByteString): Promise<ByteString> {
		const { path, missing } = this.#tree.place(name);
		for (const folder of missing) await this.#makeImplied(folder);
		return path;
	}

	async #placeNew(name: ByteString): Promise<ByteString> {
		const path = await this.#place(name);
		await this.#clear(path);
		return path;
	}

	async #makeImplied(path: ByteString): Promise<void> {
		this.#count();
		const hidden = this.#tree.kindOf(path) === 'whiteout';
		await this.#clear(path);
		this.#folder.makeFolder(path);
		this.#tree.set(path, { kind: 'folder', implied: true });
		if (hidden) await this.#ops.add(opaqueOp(this.#native(path)));
	}

	/** Makes way for a new entry: the last one of a name wins. Operations on what was there must come first. */
	async #clear(path: ByteString): Promise<void> {
		if (path === '') throw refuse('/', 'the root of a layer can only be a folder');
		if (this.#tree.kindOf(path) === undefined) return;
		await this.#ops.flush();
		this.#folder.remove(path);
		this.#tree.delete(path);
	}

	async #setAttributes(path: ByteString, header: TarHeader): Promise<void> {
		const native = nativePath(path);
		if (native === undefined) this.#folder.setAttributes(path, header);
		else await this.#ops.add(attributesOp(native, header));
	}

	async #setXattrs(path: ByteString, header: TarHeader): Promise<void> {
		for (const { name, value } of xattrsOf(header))
			await this.#ops.add(xattrOp(this.#native(path), name, value));
	}

	#native(path: ByteString): string {
		const native = nativePath(path);
		if (native === undefined)
			throw unimplemented(`entry ${show(path)}: devices, whiteouts and attributes need a name in UTF-8`);
		return native;
	}
}
