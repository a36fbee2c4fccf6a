/**
 * Debian's docker-registry for one test, and a small pusher.
 *
 *     await using registry = await startRegistry();
 *     const { reference } = await registry.pushImage({ name: 'hello', layers: [{ entries: busyboxEntries() }] });
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { request } from 'undici';
import { makeTar, type TarEntry } from './tar.ts';

export interface LayerSource {
	readonly entries?: readonly TarEntry[];
	/** A tar as it is, instead of entries. */
	readonly tar?: Buffer;
	/** Default gzip. */
	readonly compression?: 'gzip' | 'zstd' | 'none';
	/** What the manifest says instead of the truth. */
	readonly claimed?: {
		readonly digest?: string;
		readonly size?: number;
		readonly mediaType?: string;
		readonly diffId?: string;
	};
}

export interface ImageSource {
	readonly name: string;
	/** Default `latest`; '' pushes by digest only. */
	readonly tag?: string;
	readonly layers: readonly LayerSource[];
	/** The `config` object of the image configuration: Env, Cmd, Entrypoint, User, WorkingDir, Labels, … */
	readonly config?: Readonly<Record<string, unknown>>;
	/** Default: this machine's. */
	readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
	/** Docker schema 2 media types instead of OCI's. */
	readonly docker?: boolean;
	readonly annotations?: Readonly<Record<string, string>>;
}

export interface PushedImage {
	/** `127.0.0.1:port/name:tag`, or `…@digest` when there is no tag. */
	readonly reference: string;
	readonly digest: string;
	/** Digest of the configuration: the image id. */
	readonly imageId: string;
	readonly layers: readonly { readonly digest: string; readonly diffId: string; readonly size: number }[];
	/** As an index lists it. */
	readonly descriptor: Readonly<Record<string, unknown>>;
}

export interface Registry extends AsyncDisposable {
	/** `127.0.0.1:port`. */
	readonly host: string;
	readonly folder: string;
	pushImage(image: ImageSource): Promise<PushedImage>;
	/** An index of images that are already pushed under the same name. */
	pushIndex(index: {
		name: string;
		tag: string;
		images: readonly PushedImage[];
		docker?: boolean;
	}): Promise<{ reference: string; digest: string }>;
	pushBlob(name: string, bytes: Uint8Array): Promise<string>;
	pushManifest(name: string, at: string, mediaType: string, bytes: Uint8Array | string): Promise<string>;
	deleteManifest(name: string, digest: string): Promise<void>;
	stop(): Promise<void>;
}

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';
const COMPRESS = {
	gzip: (tar: Buffer) => gzipSync(tar, { level: 1 }),
	zstd: (tar: Buffer) => zstdCompressSync(tar),
	none: (tar: Buffer) => tar,
};
const LAYER_SUFFIX = {
	gzip: { oci: '+gzip', docker: '.gzip' },
	zstd: { oci: '+zstd', docker: '.zstd' },
	none: { oci: '', docker: '' },
};

/** Starts a registry on a free loopback port with a folder of its own. Give it `port` to choose one. */
export async function startRegistry(options: { port?: number } = {}): Promise<Registry> {
	const folder = await mkdtemp(join(tmpdir(), 'registry-'));
	const host = `127.0.0.1:${options.port ?? (await freePort())}`;
	const config = join(folder, 'config.yml');
	await writeFile(
		config,
		JSON.stringify({
			version: 0.1,
			log: { level: 'error', accesslog: { disabled: true } },
			storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
			http: { addr: host },
		}),
	);
	const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'ignore', 'ignore'] });
	const registry = new LocalRegistry(host, folder, child);
	await registry.ready();
	return registry;
}

/** A pusher for a registry that runs already. */
export function registryAt(
	host: string,
): Pick<Registry, 'host' | 'pushImage' | 'pushIndex' | 'pushBlob' | 'pushManifest' | 'deleteManifest'> {
	return new LocalRegistry(host, '', undefined);
}

/** A TCP port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	server.close();
	await once(server, 'close');
	return typeof address === 'object' && address !== null ? address.port : 0;
}

class LocalRegistry implements Registry {
	readonly host: string;
	readonly folder: string;
	readonly #child: ChildProcess | undefined;

	constructor(host: string, folder: string, child: ChildProcess | undefined) {
		this.host = host;
		this.folder = folder;
		this.#child = child;
	}

	async ready(): Promise<void> {
		for (let tries = 0; tries < 200; tries++) {
			if (this.#child?.exitCode !== null && this.#child !== undefined)
				throw new Error('docker-registry ended at once');
			const answer = await request(`http://${this.host}/v2/`).catch(() => undefined);
			await answer?.body.dump();
			if (answer?.statusCode === 200) return;
			await sleep(50);
		}
		throw new Error('docker-registry does not answer');
	}

	async pushImage(image: ImageSource): Promise<PushedImage> {
		const layers = await Promise.all(image.layers.map((layer) => this.#pushLayer(image, layer)));
		const platform = image.platform ?? {
			os: 'linux',
			architecture: process.arch === 'x64' ? 'amd64' : process.arch,
		};
		const diffIds = layers.map((layer) => layer.diffId);
		const config = JSON.stringify({
			created: '2024-01-01T00:00:00Z',
			...platform,
			config: image.config ?? {},
			rootfs: { type: 'layers', diff_ids: diffIds },
		});
		const imageId = await this.pushBlob(image.name, Buffer.from(config));
		const mediaType = image.docker ? `${DOCKER}.distribution.manifest.v2+json` : `${OCI}.manifest.v1+json`;
		const manifest = JSON.stringify({
			schemaVersion: 2,
			mediaType,
			config: {
				mediaType: image.docker ? `${DOCKER}.container.image.v1+json` : `${OCI}.config.v1+json`,
				digest: imageId,
				size: Buffer.byteLength(config),
			},
			layers: layers.map(({ mediaType: type, digest, size }) => ({ mediaType: type, digest, size })),
			...(image.annotations === undefined ? {} : { annotations: image.annotations }),
		});
		const tag = image.tag ?? 'latest';
		const digest = await this.pushManifest(image.name, tag || sha256(manifest), mediaType, manifest);
		const descriptor = { mediaType, digest, size: Buffer.byteLength(manifest), platform };
		return {
			reference: `${this.host}/${image.name}${tag === '' ? `@${digest}` : `:${tag}`}`,
			digest,
			imageId,
			layers,
			descriptor,
		};
	}

	async pushIndex(index: { name: string; tag: string; images: readonly PushedImage[]; docker?: boolean }) {
		const mediaType = index.docker ? `${DOCKER}.distribution.manifest.list.v2+json` : `${OCI}.index.v1+json`;
		const body = JSON.stringify({
			schemaVersion: 2,
			mediaType,
			manifests: index.images.map((image) => image.descriptor),
		});
		const digest = await this.pushManifest(index.name, index.tag, mediaType, body);
		return { reference: `${this.host}/${index.name}:${index.tag}`, digest };
	}

	async #pushLayer(image: ImageSource, layer: LayerSource) {
		const tar = layer.tar ?? makeTar(layer.entries ?? []);
		const compression = layer.compression ?? 'gzip';
		const blob = COMPRESS[compression](tar);
		const pushed = await this.pushBlob(image.name, blob);
		const suffix = LAYER_SUFFIX[compression];
		const mediaType = image.docker
			? `${DOCKER}.image.rootfs.diff.tar${suffix.docker}`
			: `${OCI}.layer.v1.tar${suffix.oci}`;
		return { mediaType, digest: pushed, size: blob.length, diffId: sha256(tar), ...layer.claimed };
	}

	async pushBlob(name: string, bytes: Uint8Array): Promise<string> {
		const digest = sha256(bytes);
		const started = await this.#send('POST', `/v2/${name}/blobs/uploads/`, 202);
		const location = new URL(String(started.headers.location), `http://${this.host}`);
		location.searchParams.set('digest', digest);
		await this.#send('PUT', location.pathname + location.search, 201, bytes, {
			'content-type': 'application/octet-stream',
		});
		return digest;
	}

	async pushManifest(
		name: string,
		at: string,
		mediaType: string,
		bytes: Uint8Array | string,
	): Promise<string> {
		await this.#send('PUT', `/v2/${name}/manifests/${at}`, 201, bytes, { 'content-type': mediaType });
		return sha256(bytes);
	}

	async deleteManifest(name: string, digest: string): Promise<void> {
		await this.#send('DELETE', `/v2/${name}/manifests/${digest}`, 202);
	}

	async #send(
		method: 'POST' | 'PUT' | 'DELETE',
		path: string,
		wanted: number,
		body?: Uint8Array | string,
		headers: Record<string, string> = {},
	) {
		const answer = await request(`http://${this.host}${path}`, { method, headers, body: body ?? null });
		const said = await answer.body.text();
		if (answer.statusCode !== wanted)
			throw new Error(`${method} ${path} answered ${answer.statusCode}: ${said}`);
		return answer;
	}

	async stop(): Promise<void> {
		if (this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
			this.#child.kill('SIGKILL');
			await once(this.#child, 'exit');
		}
		if (this.folder !== '') await rm(this.folder, { recursive: true, force: true });
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.stop();
	}
}

/** `sha256:…` of these bytes. */
export function sha256(bytes: Uint8Array | string): string {
	return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A root file system around Debian's busybox-static: every applet as a link, and the usual files of /etc. */
export function busyboxEntries(): TarEntry[] {
	const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' })
		.split('\n')
		.filter((name) => name !== '' && name !== 'busybox');
	return [
		...['bin/', 'dev/', 'etc/', 'proc/', 'sys/', 'usr/', 'usr/bin/', 'var/', 'var/log/'].map((name) => ({
			name,
		})),
		{ name: 'root/', mode: 0o700 },
		{ name: 'tmp/', mode: 0o1777 },
		{ name: 'bin/busybox', data: readFileSync('/bin/busybox'), mode: 0o755 },
		...applets.map((name) => ({ name: `bin/${name}`, type: 'link', target: 'bin/busybox', mode: 0o755 })),
		{ name: 'usr/bin/env', type: 'symlink', target: '../../bin/env' },
		{ name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
		{ name: 'etc/group', data: 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' },
	];
}

/** What lies in a folder, as entries of a layer: files, folders and symlinks with their modes and owners. */
export function folderEntries(folder: string, prefix = ''): TarEntry[] {
	return readdirSync(folder)
		.sort()
		.flatMap((name): TarEntry[] => {
			const path = join(folder, name);
			const stats = lstatSync(path);
			const common = {
				name: `${prefix}${name}`,
				mode: stats.mode & 0o7777,
				uid: stats.uid,
				gid: stats.gid,
				mtime: Math.trunc(stats.mtimeMs / 1000),
			};
			if (stats.isDirectory())
				return [{ ...common, name: `${common.name}/` }, ...folderEntries(path, `${common.name}/`)];
			if (stats.isSymbolicLink()) return [{ ...common, type: 'symlink', target: readlinkSync(path) }];
			return stats.isFile() ? [{ ...common, data: readFileSync(path) }] : [];
		});
}
