import { dataLoss } from '#base/errors.ts';
import { JsonDocument } from '../content/json-document.ts';
import { requireDigest } from '../digest.ts';

/** What is kept on disk about one unpacked layer. */
export interface SnapshotRecord {
	readonly chainId: string;
	readonly diffId: string;
	/** Of the compressed blob that it came from. */
	readonly digest: string;
	readonly bytes: number;
	readonly inodes: number;
}

const VERSION = 1;

export function encodeSnapshotRecord(record: SnapshotRecord): string {
	return `${JSON.stringify({ version: VERSION, ...record })}\n`;
}

/** DATA_LOSS for anything but a record of this version. */
export function decodeSnapshotRecord(text: string, path: string): SnapshotRecord {
	const document = JsonDocument.parse(text, path);
	const version = document.count('version');
	if (version !== VERSION) throw dataLoss(`Cannot read ${path}: version ${version} is not ${VERSION}`);
	const [chainId, diffId, digest] = ['chainId', 'diffId', 'digest'].map((key) => document.requiredText(key));
	const [bytes, inodes] = ['bytes', 'inodes'].map((key) => document.count(key));
	if (
		chainId === undefined ||
		diffId === undefined ||
		digest === undefined ||
		bytes === undefined ||
		inodes === undefined
	) {
		throw dataLoss(`Cannot read ${path}: it is not complete`);
	}
	for (const one of [chainId, diffId, digest]) requireDigest(one, path);
	return { chainId, diffId, digest, bytes, inodes };
}
