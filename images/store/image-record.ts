import { dataLoss } from '#base/errors.ts';
import { JsonDocument } from '../content/json-document.ts';
import { requireDigest } from '../digest.ts';
import { parseReference } from '../reference.ts';
import type { ImageConfig } from '../types.ts';

/** What is kept on disk about one image: `images/<hex of the id>.json`. */
export interface ImageRecord {
	readonly id: string;
	readonly tags: readonly string[];
	readonly digests: readonly string[];
	readonly manifestDigest: string;
	readonly chainIds: readonly string[];
	/** Digests of its documents in the content store. */
	readonly documents: readonly string[];
	readonly annotations: Readonly<Record<string, string>>;
	readonly config: ImageConfig;
	/** Milliseconds since 1970. Of two records that claim one tag, the later one is right. */
	readonly updatedAtMs: number;
}

const VERSION = 1;

export function encodeImageRecord(record: ImageRecord): string {
	return `${JSON.stringify({ version: VERSION, ...record })}\n`;
}

/** DATA_LOSS for anything but a record of this version. */
export function decodeImageRecord(text: string, path: string): ImageRecord {
	const document = JsonDocument.parse(text, path);
	const version = document.count('version');
	if (version !== VERSION) throw dataLoss(`Cannot read ${path}: version ${version} is not ${VERSION}`);
	const updatedAtMs = document.count('updatedAtMs');
	const record = {
		id: document.requiredText('id'),
		tags: document.texts('tags'),
		digests: document.texts('digests'),
		manifestDigest: document.requiredText('manifestDigest'),
		chainIds: document.texts('chainIds'),
		documents: document.texts('documents'),
		annotations: document.textMap('annotations'),
		config: decodeStoredConfig(document.requiredObject('config')),
		updatedAtMs: updatedAtMs ?? 0,
	};
	for (const digest of [record.id, record.manifestDigest, ...record.chainIds, ...record.documents])
		requireDigest(digest, path);
	for (const name of [...record.tags, ...record.digests]) parseReference(name);
	if (record.digests.length === 0) throw dataLoss(`Cannot read ${path}: the image has no digest`);
	return record;
}

function decodeStoredConfig(config: JsonDocument): ImageConfig {
	const createdAt = config.text('createdAt');
	return {
		user: config.text('user'),
		env: config.texts('env'),
		entrypoint: config.texts('entrypoint'),
		command: config.texts('command'),
		workingDir: config.text('workingDir'),
		stopSignal: config.text('stopSignal'),
		volumes: config.texts('volumes'),
		labels: config.textMap('labels'),
		architecture: config.text('architecture'),
		os: config.text('os'),
		diffIds: config.texts('diffIds'),
		...(createdAt === '' ? {} : { createdAt }),
	};
}
