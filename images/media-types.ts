import { unimplemented } from '#base/errors.ts';

/** The media types of the OCI image-spec and of Docker's schema 2. */
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';

const OCI_LAYER = /^application\/vnd\.oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+(?:gzip|zstd))?$/;
const DOCKER_LAYER = /^application\/vnd\.docker\.image\.rootfs\.diff\.tar(?:\.(?:gzip|zstd))?$/;
const DOCKER_SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/;

/** The Accept header of a manifest request. */
export const MANIFEST_ACCEPT = [OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST].join(', ');

export const isIndex = (mediaType: string): boolean => mediaType === OCI_INDEX || mediaType === DOCKER_INDEX;
export const isManifest = (mediaType: string): boolean =>
	mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
export const isConfig = (mediaType: string): boolean =>
	mediaType === OCI_CONFIG || mediaType === DOCKER_CONFIG;
export const isSchema1 = (mediaType: string): boolean => DOCKER_SCHEMA_1.test(mediaType);

/** `application/json; charset=utf-8` without its parameters. */
export function bareMediaType(header: string | undefined): string {
	return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** UNIMPLEMENTED for a layer that is no plain tar. How it is compressed is told by its first bytes, not here. */
export function requireLayer(mediaType: string, digest: string): void {
	if (OCI_LAYER.test(mediaType) || DOCKER_LAYER.test(mediaType)) return;
	const why = mediaType.includes('+encrypted')
		? 'encrypted layers are not supported'
		: mediaType.includes('foreign')
			? 'foreign layers (Windows base images) are not supported'
			: `media type "${mediaType.slice(0, 120)}" is no file system layer`;
	throw unimplemented(`Cannot unpack layer ${digest}: ${why}`);
}
