import { dataLoss } from '#base/errors.ts';
import { parseDigest } from '../digest.ts';
import type { ImageConfig } from '../types.ts';
import { JsonDocument } from './json-document.ts';

/** Reads an image configuration (image-spec config.md; Docker's has the same fields). */
export function decodeConfig(bytes: Uint8Array, digest: string): ImageConfig {
	const where = `image configuration ${digest}`;
	const document = JsonDocument.parse(bytes, where);
	const config = document.object('config');
	const diffIds = document.object('rootfs')?.texts('diff_ids') ?? [];
	for (const diffId of diffIds) {
		if (parseDigest(diffId) === undefined)
			throw dataLoss(`Cannot read ${where}: diff id "${diffId.slice(0, 160)}" is no digest`);
	}
	const createdAt = document.text('created');
	return {
		user: config?.text('User') ?? '',
		env: config?.texts('Env') ?? [],
		entrypoint: config?.texts('Entrypoint') ?? [],
		command: config?.texts('Cmd') ?? [],
		workingDir: config?.text('WorkingDir') ?? '',
		stopSignal: config?.text('StopSignal') ?? '',
		volumes: config?.keys('Volumes') ?? [],
		labels: config?.textMap('Labels') ?? {},
		architecture: document.text('architecture'),
		os: document.text('os'),
		diffIds,
		...(createdAt === '' ? {} : { createdAt }),
	};
}
