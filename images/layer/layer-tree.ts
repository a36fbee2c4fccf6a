import { invalidArgument } from '#base/errors.ts';
import { type ByteString, show } from './bytes.ts';

/** What stands at a path of the layer that is being unpacked. `device`: any node that the native helper makes. */
export type Kind = 'folder' | 'file' | 'symlink' | 'device' | 'whiteout';

interface Node {
	readonly kind: Kind;
	/** Of a symlink. */
	readonly target?: ByteString;
	/** A folder that no entry names: it was needed as a parent. */
	readonly implied?: boolean;
}

interface Branch {
	node: Node;
	readonly children: Map<ByteString, Branch>;
}

/** One folder on the way to a name; no branch: it is missing. */
interface Step {
	readonly path: ByteString;
	readonly branch: Branch | undefined;
}

/** How a name resolves: where it lies, and which parents have to be made first (outermost first). */
export interface Place {
	/** Relative to the root of the layer, '' for the root itself; no symlink on the way. */
	readonly path: ByteString;
	readonly missing: readonly ByteString[];
}

const NAME_MAX = 255;
const PATH_MAX = 4095;
const MAX_SYMLINKS = 40;

/**
 * What a layer holds so far. Names are resolved against this picture and never by the kernel, so no symlink of
 * the layer can lead a write out of its folder; the folder is fresh and nobody else writes to it.
 */
export class LayerTree {
	readonly #root: Branch = { node: { kind: 'folder', implied: true }, children: new Map() };

	kindOf(path: ByteString): Kind | undefined {
		return this.#find(path)?.node.kind;
	}

	nodeOf(path: ByteString): Node {
		return this.#find(path)?.node ?? { kind: 'folder', implied: true };
	}

	/** The parent must be there. What a folder holds stays when it is set to a folder again. */
	set(path: ByteString, node: Node): void {
		const branch = this.#find(path);
		if (branch !== undefined) branch.node = node;
		else this.#find(parentOf(path))?.children.set(nameIn(path), { node, children: new Map() });
	}

	/** Forgets a path and, if it is a folder, everything below it. */
	delete(path: ByteString): void {
		this.#find(parentOf(path))?.children.delete(nameIn(path));
	}

	/** Folders that the layer needs and does not describe, outermost first. */
	implied(): ByteString[] {
		const found: ByteString[] = [];
		const pending: [ByteString, Branch][] = [['', this.#root]];
		for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
			const [path, branch] = next;
			if (branch.node.implied === true) found.push(path);
			for (const [name, child] of branch.children) pending.push([join(path, name), child]);
		}
		return found.sort();
	}

	#find(path: ByteString): Branch | undefined {
		if (path === '') return this.#root;
		let branch: Branch | undefined = this.#root;
		for (const part of path.split('/')) branch = branch?.children.get(part);
		return branch;
	}

	/** INVALID_ARGUMENT for a name that no layer may have. */
	place(name: ByteString): Place {
		const parts = checkedParts(name);
		const last = parts.pop();
		if (last === undefined) return { path: '', missing: [] };
		const parent = this.#resolveFolder(parts, name);
		return { path: join(parent.path, last), missing: parent.missing };
	}

	#resolveFolder(parts: readonly ByteString[], name: ByteString): Place {
		const todo = parts.toReversed();
		const missing = new Set<ByteString>();
		// All the way is kept: to look every part up from the root would take hours for a layer of deep names.
		const way: Step[] = [];
		let followed = 0;
		for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
			if (part === '..') {
				way.pop();
				continue;
			}
			const at = way.at(-1) ?? { path: '', branch: this.#root };
			const next = join(at.path, part);
			const branch = at.branch?.children.get(part);
			const node = branch?.node;
			if (node?.kind === 'symlink') {
				if (++followed > MAX_SYMLINKS) throw refuse(name, 'its symlinks go in circles');
				const target = node.target ?? '';
				if (target.startsWith('/')) way.length = 0;
				todo.push(...target.split('/').filter(isStep).toReversed());
				continue;
			}
			if (node !== undefined && node.kind !== 'folder' && node.kind !== 'whiteout')
				throw refuse(name, `${show(next)} is no folder`);
			if (node?.kind !== 'folder') missing.add(next);
			way.push({ path: next, branch });
		}
		const path = way.at(-1)?.path ?? '';
		if (path.length > PATH_MAX) throw refuse(name, 'it is too long');
		return { path, missing: [...missing] };
	}
}

/** The parts of a name without `.` and `/`; one that climbs above the root is refused. */
function checkedParts(name: ByteString): ByteString[] {
	if (name.includes('\0')) throw refuse(name, 'it holds a NUL');
	if (name.length > PATH_MAX) throw refuse(name, `it is longer than ${PATH_MAX} bytes`);
	const parts: ByteString[] = [];
	for (const part of name.split('/')) {
		if (part.length > NAME_MAX) throw refuse(name, `a part of it is longer than ${NAME_MAX} bytes`);
		if (part === '..' && parts.pop() === undefined) throw refuse(name, 'it climbs out of the layer');
		if (part !== '..' && isStep(part)) parts.push(part);
	}
	return parts;
}

const isStep = (part: string) => part !== '' && part !== '.';
const join = (folder: ByteString, name: ByteString) => (folder === '' ? name : `${folder}/${name}`);

const nameIn = (path: ByteString) => path.slice(path.lastIndexOf('/') + 1);

/** '' for what lies in the root. */
export function parentOf(path: ByteString): ByteString {
	return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

/** How a layer is refused because of one entry. The layer is named by whoever unpacks it. */
export function refuse(name: ByteString, why: string) {
	return invalidArgument(`entry ${show(name)}: ${why}`);
}
