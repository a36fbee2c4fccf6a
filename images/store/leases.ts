import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isHalfWritten, writeFileAtomic } from '#base/atomic-file.ts';
import { dataLoss, errnoOf, failedPrecondition, fromSystemError } from '#base/errors.ts';
import { JsonDocument } from '../content/json-document.ts';
import type { SetAside } from './set-aside.ts';

export interface Lease {
	readonly holder: string;
	readonly imageId: string;
}

const VERSION = 1;

/** Who needs which image, one small file per holder. Not fsynced: after a power loss no container is left to hold one. */
export class Leases {
	readonly #root: string;
	readonly #byHolder = new Map<string, Lease>();

	private constructor(root: string) {
		this.#root = root;
	}

	static async open({ root, setAside }: { root: string; setAside: SetAside }): Promise<Leases> {
		const leases = new Leases(root);
		await mkdir(root, { recursive: true, mode: 0o700 });
		for (const name of await readdir(root)) {
			const path = join(root, name);
			if (isHalfWritten(name)) continue;
			try {
				const lease = decode(await readFile(path, 'utf8'), path);
				if (leases.path(lease.holder) !== path) throw dataLoss(`${path} is the lease of ${lease.holder}`);
				leases.#byHolder.set(lease.holder, lease);
			} catch (error) {
				await setAside.take(path, `lease-${name}`, error);
			}
		}
		return leases;
	}

	list(): readonly Lease[] {
		return [...this.#byHolder.values()];
	}

	holdersOf(imageId: string): string[] {
		return this.list().flatMap((lease) => (lease.imageId === imageId ? lease.holder : []));
	}

	/** In force from the call on, before it is on disk. Idempotent; FAILED_PRECONDITION when the holder has another image. */
	async take(lease: Lease): Promise<void> {
		const held = this.#byHolder.get(lease.holder);
		if (held !== undefined && held.imageId !== lease.imageId) {
			throw failedPrecondition(
				`Cannot lease image ${lease.imageId} to ${lease.holder}: it holds ${held.imageId}; release it first`,
			);
		}
		this.#byHolder.set(lease.holder, lease);
		try {
			await writeFileAtomic(this.path(lease.holder), `${JSON.stringify({ version: VERSION, ...lease })}\n`);
		} catch (error) {
			if (held === undefined) this.#byHolder.delete(lease.holder);
			throw fromSystemError(`Cannot write ${this.path(lease.holder)}`, error);
		}
	}

	async release(holder: string): Promise<void> {
		await unlink(this.path(holder)).catch((error: unknown) => {
			if (errnoOf(error) !== 'ENOENT') throw error;
		});
		this.#byHolder.delete(holder);
	}

	/** A holder may be any text; a file name may not. */
	path(holder: string): string {
		return join(this.#root, `${createHash('sha256').update(holder).digest('hex')}.json`);
	}
}

function decode(text: string, path: string): Lease {
	const document = JsonDocument.parse(text, path);
	if (document.count('version') !== VERSION)
		throw dataLoss(`Cannot read ${path}: it is not of version ${VERSION}`);
	return { holder: document.requiredText('holder'), imageId: document.requiredText('imageId') };
}
