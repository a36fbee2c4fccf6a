import { unimplemented } from '#base/errors.ts';
import type { Image, ImageConfig, ImageStore } from '#images';

export const BUSYBOX_ID = `sha256:${'b'.repeat(64)}`;

const CONFIG: ImageConfig = {
	user: '',
	env: ['FROM_IMAGE=yes', 'PATH=/bin'],
	entrypoint: [],
	command: ['sh'],
	workingDir: '',
	stopSignal: '',
	volumes: [],
	labels: {},
	architecture: 'amd64',
	os: 'linux',
	diffIds: [],
};

/** A store with images whose layers are the given folders. Counts the leases. */
export class FakeImages implements ImageStore {
	readonly leases = new Map<string, string>();
	readonly #images = new Map<string, { readonly image: Image; readonly lowers: readonly string[] }>();

	add(
		name: string,
		lowers: readonly string[],
		config: Partial<ImageConfig> = {},
		id: string = BUSYBOX_ID,
	): void {
		const image: Image = {
			id,
			repoTags: [`${name}:latest`],
			repoDigests: [`${name}@${id}`],
			sizeBytes: 1,
			config: { ...CONFIG, ...config },
			pinned: false,
			chainIds: [],
			manifestDigest: id,
			annotations: {},
		};
		this.#images.set(name, { image, lowers });
	}

	list() {
		return [...this.#images.values()].map(({ image }) => image);
	}
	find(reference: string) {
		return this.#images.get(reference)?.image ?? this.list().find(({ id }) => id === reference);
	}
	async lease(imageId: string, holder: string) {
		this.leases.set(holder, imageId);
		return { lowers: this.layersOf(imageId), [Symbol.asyncDispose]: async () => {} };
	}
	layersOf(imageId: string) {
		return [...this.#images.values()].find(({ image }) => image.id === imageId)?.lowers ?? [];
	}
	async release(holder: string) {
		this.leases.delete(holder);
	}
	holders() {
		return [...this.leases].map(([holder, imageId]) => ({ holder, imageId }));
	}
	async usage() {
		return { path: '/', usedBytes: 0, usedInodes: 0 };
	}
	async garbage() {
		return [];
	}
	async pull(): Promise<Image> {
		throw unimplemented('pull');
	}
	async remove() {}
	async [Symbol.asyncDispose]() {}
}
