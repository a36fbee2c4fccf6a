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
	/** How many bytes of the answer as it is on the wire are sent, headers (`head` bytes) included; then nothing more. */
	readonly wire?: (head: number, total: number) => number;
	/** One byte of the answer as it is on the wire in this time, without end. */
	readonly tricklesEveryMs?: number;
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
			const body = Buffer.from((fault.body ?? '') as string);
			if (isOnWire(fault)) sendOnWire(outgoing, fault.status, { ...fault.headers }, body, fault);
			else outgoing.writeHead(fault.status, { ...fault.headers }).end(body);
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
		if (isOnWire(fault)) return sendOnWire(outgoing, answer.statusCode, headers, body, fault);
		outgoing.writeHead(answer.statusCode, headers);
		sendFaulty(outgoing, body, fault);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#server.close();
		this.#server.closeAllConnections();
		await once(this.#server, 'close');
	}
}

const isOnWire = ({ wire, tricklesEveryMs }: Fault): boolean =>
	wire !== undefined || tricklesEveryMs !== undefined;

/** The answer byte by byte, past node's own writer of headers. */
function sendOnWire(
	outgoing: ServerResponse,
	status: number,
	headers: Readonly<Record<string, string>>,
	body: Buffer,
	fault: Fault,
): void {
	const { socket } = outgoing;
	if (socket === null) return;
	const lines = Object.entries({ ...headers, 'content-length': body.length, 'transfer-encoding': undefined });
	const told = lines
		.filter(([, value]) => value !== undefined)
		.map(([name, value]) => `${name}: ${value}\r\n`);
	const head = Buffer.from(`HTTP/1.1 ${status} x\r\n${told.join('')}\r\n`);
	const whole = Buffer.concat([head, body]);
	const end = fault.wire?.(head.length, whole.length) ?? 0;
	socket.write(whole.subarray(0, end));
	if (fault.tricklesEveryMs === undefined) return;
	let at = end;
	const timer = setInterval(() => socket.write(whole.subarray(at, ++at)), fault.tricklesEveryMs);
	socket.on('close', () => clearInterval(timer));
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
