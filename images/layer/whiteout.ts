import type { ByteString } from './bytes.ts';
import { refuse } from './layer-tree.ts';

/** What an entry whose name begins with `.wh.` means (image-spec layer.md, Whiteouts). */
export type Whiteout =
	| { readonly kind: 'hide'; readonly name: ByteString }
	/** Everything that lower layers have in this folder is hidden. */
	| { readonly kind: 'opaque'; readonly folder: ByteString }
	/** Book-keeping of AUFS, which means nothing here. */
	| { readonly kind: 'metadata' };

const PREFIX = '.wh.';
const METADATA_PREFIX = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';

/** undefined for an ordinary entry. */
export function whiteoutOf(name: ByteString): Whiteout | undefined {
	const bare = name.replace(/\/+$/, '');
	const slash = bare.lastIndexOf('/');
	const folder = bare.slice(0, slash + 1);
	const last = bare.slice(slash + 1);
	// The folders of AUFS's own hold entries with ordinary names.
	if (folder.includes(METADATA_PREFIX)) return { kind: 'metadata' };
	if (!last.startsWith(PREFIX)) return undefined;
	if (last === OPAQUE) return { kind: 'opaque', folder };
	if (last.startsWith(METADATA_PREFIX)) return { kind: 'metadata' };
	const hidden = last.slice(PREFIX.length);
	if (hidden === '' || hidden === '.' || hidden === '..') throw refuse(name, 'it is a whiteout of nothing');
	return { kind: 'hide', name: `${folder}${hidden}` };
}
