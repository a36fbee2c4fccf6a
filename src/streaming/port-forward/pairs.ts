import type { SpdyStream } from '../spdy/connection.ts';
import type { ForwardedPair } from './forward.ts';

/** How long the second stream of a pair may take to come. */
const PAIR_MS = 30_000;

interface Half {
	readonly port: number;
	readonly kind: 'data' | 'error';
	readonly stream: SpdyStream;
	readonly timer: NodeJS.Timeout;
}

/** Puts together the two streams that a client opens for each connection: `data` and `error`, of one request id. */
export class StreamPairs implements Disposable {
	readonly #waiting = new Map<string, Half>();
	readonly #onPair: (pair: ForwardedPair) => void;

	constructor(onPair: (pair: ForwardedPair) => void) {
		this.#onPair = onPair;
	}

	/** False: it is no stream of a forwarded connection, or does not fit to the other one. */
	add(stream: SpdyStream): boolean {
		const kind = stream.headers.get('streamtype');
		const port = portOf(stream.headers.get('port'));
		if ((kind !== 'data' && kind !== 'error') || port === undefined) return false;
		const id = stream.headers.get('requestid') ?? oldRequestId(stream.id, kind);
		const other = this.#waiting.get(id);
		if (other === undefined) {
			const timer = setTimeout(() => this.#giveUp(id), PAIR_MS);
			timer.unref();
			this.#waiting.set(id, { port, kind, stream, timer });
			return true;
		}
		if (other.kind === kind || other.port !== port) return false;
		clearTimeout(other.timer);
		this.#waiting.delete(id);
		const [data, error] = kind === 'data' ? [stream, other.stream] : [other.stream, stream];
		this.#onPair({ port, data, error });
		return true;
	}

	[Symbol.dispose](): void {
		for (const { timer } of this.#waiting.values()) clearTimeout(timer);
		this.#waiting.clear();
	}

	#giveUp(id: string): void {
		const half = this.#waiting.get(id);
		this.#waiting.delete(id);
		half?.stream.reset();
	}
}

/** Clients that name no request id open the error stream first, and the data stream right after it. */
const oldRequestId = (streamId: number, kind: 'data' | 'error'): string =>
	`stream ${kind === 'error' ? streamId : streamId - 2}`;

function portOf(text: string | undefined): number | undefined {
	const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
	return port >= 1 && port <= 65535 ? port : undefined;
}
