import type { OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { refuse } from './context.ts';

/** maskedPaths and readonlyPaths. After the mounts, and before pivot: /dev/null over a file is then the host's own. */
export function hiddenPathOps(spec: OciSpec): Op[] {
	const { maskedPaths = [], readonlyPaths = [] } = spec.linux ?? {};
	return [
		...readonlyPaths.map(
			(path, index): Op => ({ op: 'readonly_path', path: absolute(path, `linux.readonlyPaths[${index}]`) }),
		),
		...maskedPaths.map(
			(path, index): Op => ({ op: 'mask_path', path: absolute(path, `linux.maskedPaths[${index}]`) }),
		),
	];
}

function absolute(path: string, where: string): string {
	if (!path.startsWith('/')) throw refuse(where, `${path} is not absolute`);
	return path;
}
