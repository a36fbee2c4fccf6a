import { dataLoss, unimplemented } from '#base/errors.ts';
import { parseDigest } from '../digest.ts';
import {
	bareMediaType,
	isConfig,
	isIndex,
	isManifest,
	isSchema1,
	OCI_INDEX,
	OCI_MANIFEST,
} from '../media-types.ts';
import type { Platform } from '../platform.ts';
import { JsonDocument } from './json-document.ts';

/** image-spec descriptor.md. */
export interface Descriptor {
	readonly mediaType: string;
	readonly digest: string;
	readonly size: number;
	readonly platform?: Platform;
	readonly annotations: Readonly<Record<string, string>>;
}

/** An image manifest or an index, whichever the registry answered with. */
export type ManifestDocument =
	| { readonly kind: 'index'; readonly manifests: readonly Descriptor[] }
	| {
			readonly kind: 'manifest';
			readonly config: Descriptor;
			readonly layers: readonly Descriptor[];
			readonly annotations: Readonly<Record<string, string>>;
	  };

/** More layers than overlayfs can stack (500) could never be mounted. */
const MAX_LAYERS = 500;

/** Reads a manifest or an index. `contentType` counts when the document does not name its own type. */
export function decodeManifest(bytes: Uint8Array, digest: string, contentType: string): ManifestDocument {
	const where = `manifest ${digest}`;
	const document = JsonDocument.parse(bytes, where);
	const mediaType = mediaTypeOf(document, contentType);
	if (isSchema1(mediaType) || document.count('schemaVersion') === 1) {
		throw unimplemented(
			`Cannot use ${where}: Docker image manifests of schema 1 are not supported; push the image again with a current tool`,
		);
	}
	if (isIndex(mediaType))
		return {
			kind: 'index',
			manifests: document.objects('manifests').map((entry) => descriptorOf(entry, where)),
		};
	if (!isManifest(mediaType))
		throw unimplemented(`Cannot use ${where}: media type "${mediaType.slice(0, 120)}" is no image`);

	const config = descriptorOf(document.requiredObject('config'), where);
	const artifact = document.text('artifactType');
	if (!isConfig(config.mediaType)) {
		throw unimplemented(
			`Cannot use ${where} as an image: it is an artifact of type "${(artifact || config.mediaType).slice(0, 120)}"`,
		);
	}
	const layers = document.objects('layers').map((entry) => descriptorOf(entry, where));
	if (layers.length > MAX_LAYERS)
		throw unimplemented(`Cannot use ${where}: it has ${layers.length} layers, more than ${MAX_LAYERS}`);
	return { kind: 'manifest', config, layers, annotations: document.textMap('annotations') };
}

function mediaTypeOf(document: JsonDocument, contentType: string): string {
	const own = document.text('mediaType');
	if (own !== '') return own;
	const told = bareMediaType(contentType);
	if (isIndex(told) || isManifest(told) || isSchema1(told)) return told;
	if (document.has('manifests')) return OCI_INDEX;
	return document.has('config') ? OCI_MANIFEST : told;
}

function descriptorOf(entry: JsonDocument, where: string): Descriptor {
	const digest = entry.requiredText('digest');
	if (parseDigest(digest) === undefined)
		throw dataLoss(`Cannot read ${where}: "${digest.slice(0, 160)}" is no digest`);
	const size = entry.count('size');
	if (size === undefined) throw dataLoss(`Cannot read ${where}: the size of ${digest} is missing`);
	const platform = entry.object('platform');
	return {
		mediaType: entry.text('mediaType'),
		digest,
		size,
		annotations: entry.textMap('annotations'),
		...(platform === undefined ? {} : { platform: platformOf(platform) }),
	};
}

function platformOf(entry: JsonDocument): Platform {
	const variant = entry.text('variant');
	return {
		os: entry.text('os'),
		architecture: entry.text('architecture'),
		...(variant === '' ? {} : { variant }),
	};
}
