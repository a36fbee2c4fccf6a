/** Pushes images that are made here to a registry on loopback, by the distribution spec. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

export interface ImageToPush {
	/** Tars, lowest first; pushed compressed with gzip. */
	readonly layers: readonly Buffer[];
	/** The `config` of the OCI image configuration: Cmd, Env, User, … */
	readonly config?: Readonly<Record<string, unknown>>;
}

interface Descriptor {
	readonly mediaType: string;
	readonly digest: string;
	readonly size: number;
}

const TYPES = {
	manifest: 'application/vnd.oci.image.manifest.v1+json',
	config: 'application/vnd.oci.image.config.v1+json',
	layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

/** Pushes to `127.0.0.1:5000` as `team/app:1` (and more tags); returns the manifest's digest. */
export async function pushImage(registry: string, reference: string, image: ImageToPush): Promise<string> {
	const [repository = '', tag = 'latest'] = reference.split(':');
	const base = `http://${registry}/v2/${repository}`;
	const layers: Descriptor[] = [];
	for (const tar of image.layers) layers.push(await pushBlob(base, TYPES.layer, compressed(tar)));
	const config = await pushBlob(base, TYPES.config, Buffer.from(JSON.stringify(configOf(image))));
	const manifest = Buffer.from(
		JSON.stringify({ schemaVersion: 2, mediaType: TYPES.manifest, config, layers }),
	);
	await send(`${base}/manifests/${tag}`, {
		method: 'PUT',
		body: manifest,
		headers: { 'content-type': TYPES.manifest },
	});
	return digestOf(manifest);
}

/** The same layer is compressed once, however many images have it. */
const compressedTars = new WeakMap<Buffer, Buffer>();
function compressed(tar: Buffer): Buffer {
	const known = compressedTars.get(tar) ?? gzipSync(tar, { level: 1 });
	compressedTars.set(tar, known);
	return known;
}

function configOf({ layers, config = {} }: ImageToPush): object {
	const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
	return { architecture, os: 'linux', config, rootfs: { type: 'layers', diff_ids: layers.map(digestOf) } };
}

async function pushBlob(base: string, mediaType: string, blob: Buffer): Promise<Descriptor> {
	const digest = digestOf(blob);
	const known = await fetch(`${base}/blobs/${digest}`, { method: 'HEAD' });
	if (!known.ok) {
		const started = await send(`${base}/blobs/uploads/`, { method: 'POST' });
		const upload = new URL(started.headers.get('location') ?? '', base);
		upload.searchParams.set('digest', digest);
		await send(upload, {
			method: 'PUT',
			body: blob,
			headers: { 'content-type': 'application/octet-stream' },
		});
	}
	return { mediaType, digest, size: blob.length };
}

async function send(
	url: string | URL,
	request: { method: string; body?: Buffer; headers?: Record<string, string> },
): Promise<Response> {
	const { body, ...rest } = request;
	const response = await fetch(url, body === undefined ? rest : { ...rest, body: new Uint8Array(body) });
	if (!response.ok) throw new Error(`${request.method} ${url}: ${response.status} ${await response.text()}`);
	return response;
}

function digestOf(bytes: Buffer): string {
	return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
