/** An HTTP server in front of a registry that does to each request what the test says. */
import { once } from 'node:events';
import {
	createServer,
	type IncomingHttpHeaders,
	type IncomingMessage,
	type Server,
	type ServerResponse,
} from 'node:http';
import { request } from 'undici';

export interface SeenRequest {
	readonly method: string;
	/** Path with query. */
	readonly path: string;
	readonly headers: IncomingHttpHeaders;
	/** How many requests for this path came before, this one not counted. */
	readonly before: number;
}

export interface Fault {
	/** Answer this instead of asking the registry. */
	readonly status?: number;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Uint8Array;
	/** Send this many bytes of the body, then do as `finish` says. */
	readonly after?: number;
	/** cut: end the connection; stall: send nothing more; corrupt: change one byte and go on; grow: add bytes at the end. */
	readonly finish?: 'cut' | 'stall' | 'corrupt' | 'grow';
	/** The registry is asked without Range. */
	readonly ignoreRange?: boolean;
	/** Wait before the answer. */
	readonly stallFirst?: boolean;
}

export type Judge = (seen: SeenRequest) => Fault | undefined;

export class FaultyProxy implements AsyncDisposable {
	readonly #server: Server;
	readonly #upstream: string;
	readonly #counts = new Map<string, number>();
	readonly seen: SeenRequest[] = [];
	judge: Judge = () => undefined;

	private constructor(server: Server, upstream: string) {
		this.#server = server;
		this.#upstream = upstream;
	}

	/** `upstream` is host:port of a registry that speaks plain HTTP. */
	static async start(upstream: string): Promise<FaultyProxy> {
		const server = createServer();
		const proxy = new FaultyProxy(server, upstream);
		server.on('request', (incoming, outgoing) => {
			proxy.#serve(incoming, outgoing).catch(() => outgoing.destroy());
		});
		server.listen(0, '127.0.0.1');
		await once(server, 'listening');
		return proxy;
	}

	/** `127.0.0.1:port`. */
	get host(): string {
		const address = this.#server.address();
		return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
	}

	/** The same reference, through this proxy. */
	through(reference: string): string {
		return reference.replace(this.#upstream, this.host);
	}

	/** Forgets what was seen and sets the next fault. */
	reset(judge: Judge = () => undefined): void {
		this.judge = judge;
		this.seen.length = 0;
		this.#counts.clear();
	}

	async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
		outgoing.on('error', () => {});
		const path = incoming.url ?? '/';
		const before = this.#counts.get(path) ?? 0;
		this.#counts.set(path, before + 1);
		const seen = { method: incoming.method ?? 'GET', path, headers: incoming.headers, before };
		this.seen.push(seen);
		const fault = this.judge(seen) ?? {};
		if (fault.stallFirst) return;
		if (fault.status !== undefined) {
			outgoing.writeHead(fault.status, { ...fault.headers }).end(fault.body ?? '');
			return;
		}
		const { accept, range } = incoming.headers;
		const answer = await request(`http://${this.#upstream}${path}`, {
			headers: {
				...(accept === undefined ? {} : { accept }),
				...(range === undefined || fault.ignoreRange ? {} : { range }),
			},
		});
		const body = Buffer.from(await answer.body.arrayBuffer());
		const headers = { ...answer.headers, ...fault.headers } as Record<string, string>;
		if (fault.finish === 'grow') delete headers['content-length'];
		outgoing.writeHead(answer.statusCode, headers);
		sendFaulty(outgoing, body, fault);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#server.close();
		this.#server.closeAllConnections();
		await once(this.#server, 'close');
	}
}

function sendFaulty(outgoing: ServerResponse, body: Buffer, fault: Fault): void {
	const at = Math.min(fault.after ?? body.length, body.length);
	if (fault.finish === 'corrupt') {
		const changed = Buffer.from(body);
		changed[at] = (changed[at] ?? 0) ^ 0xff;
		outgoing.end(changed);
		return;
	}
	if (fault.finish === 'grow') {
		outgoing.end(Buffer.concat([body, Buffer.alloc(1000)]));
		return;
	}
	if (fault.finish === undefined) {
		outgoing.end(body);
		return;
	}
	outgoing.write(body.subarray(0, at), () => {
		if (fault.finish === 'cut') outgoing.destroy();
	});
}
