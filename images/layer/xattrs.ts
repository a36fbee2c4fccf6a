import { show } from './bytes.ts';
import { refuse } from './layer-tree.ts';
import type { TarHeader } from './tar-reader.ts';

const PREFIX = 'SCHILY.xattr.';
/** XATTR_SIZE_MAX and XATTR_NAME_MAX of the kernel. */
const VALUE_MAX = 65536;
const NAME_MAX = 255;
/** Labels and measurements belong to the machine that makes them, not to an image. */
const OF_THE_HOST = new Set([
	'security.selinux',
	'security.apparmor',
	'security.SMACK64',
	'security.ima',
	'security.evm',
]);

export interface Xattr {
	readonly name: string;
	readonly value: Buffer;
}

/**
 * The extended attributes that an entry brings. Those that steer overlayfs are refused: a layer may say what it
 * hides only by whiteouts.
 */
export function xattrsOf(header: TarHeader): Xattr[] {
	const found: Xattr[] = [];
	for (const [key, value] of Object.entries(header.pax)) {
		if (!key.startsWith(PREFIX)) continue;
		const name = key.slice(PREFIX.length);
		if (OF_THE_HOST.has(name)) continue;
		if (/^(?:trusted|user)\.overlay\./.test(name))
			throw refuse(header.name, `it sets ${show(name)}, which belongs to overlayfs`);
		if (!/^(?:user|trusted|security|system)\.[\x21-\x7e]+$/.test(name) || name.length > NAME_MAX) {
			throw refuse(header.name, `${show(name)} is no extended attribute`);
		}
		if (value.length > VALUE_MAX)
			throw refuse(header.name, `the value of ${show(name)} is longer than ${VALUE_MAX} bytes`);
		found.push({ name, value: Buffer.from(value, 'latin1') });
	}
	return found;
}
