import type { PullProgress } from '#images';

/** One pull as Status (verbose, `pulls`) tells it. */
export interface PullUnderWay {
	/** As the caller named it. */
	readonly image: string;
	readonly doneBytes: number;
	/** Of the layers known so far. */
	readonly totalBytes: number;
	readonly layers: number;
	readonly doneLayers: number;
}

/** The pulls that run now: the CRI has no progress of its own, so the command asks Status for them. */
export class PullsUnderWay {
	readonly #pulls = new Set<Pull>();

	/** Until disposed, the pull is listed with what was reported last. */
	begin(image: string): { report(progress: PullProgress): void } & Disposable {
		const pull = new Pull(image);
		this.#pulls.add(pull);
		return {
			report: (progress) => pull.report(progress),
			[Symbol.dispose]: () => void this.#pulls.delete(pull),
		};
	}

	list(): readonly PullUnderWay[] {
		return [...this.#pulls].map((pull) => pull.sum());
	}
}

class Pull {
	readonly #image: string;
	readonly #layers = new Map<string, PullProgress>();

	constructor(image: string) {
		this.#image = image;
	}

	report(progress: PullProgress): void {
		if (progress.digest !== undefined) this.#layers.set(progress.digest, progress);
	}

	sum(): PullUnderWay {
		const layers = [...this.#layers.values()];
		const total = (of: (layer: PullProgress) => number) => layers.reduce((sum, layer) => sum + of(layer), 0);
		return {
			image: this.#image,
			doneBytes: total(({ doneBytes }) => doneBytes),
			totalBytes: total(({ totalBytes }) => totalBytes),
			layers: layers.length,
			doneLayers: layers.filter(({ doneBytes, totalBytes }) => doneBytes >= totalBytes).length,
		};
	}
}
