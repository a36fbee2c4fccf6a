/**
 * A CRI client that takes little of the processors it shares with what it measures: a call costs it a third of what
 * @grpc/grpc-js takes, which is nearer to a kubelet. One connection, unary calls; made anew when a daemon comes back.
 */
import {
	type ClientHttp2Session,
	type ClientHttp2Stream,
	connect,
	constants,
	type IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { status } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import { type Condition, StatusError } from '#base/errors.ts';
import { PROTO_OPTIONS, PROTO_PACKAGE, PROTO_PATH, RPCS, type RpcShapes, type UnaryRpcName } from '#cri-api';

export interface LeanOptions {
	/** Milliseconds until the call is given up. Default 60,000. */
	readonly timeoutMs?: number;
}

/** The unary calls; a client with streams has them too. */
export type UnaryCri = {
	readonly [N in UnaryRpcName]: (
		request?: RpcShapes[N]['requestInit'],
		options?: LeanOptions,
	) => Promise<RpcShapes[N]['response']>;
};
export type LeanCri = UnaryCri & { close(): void };

type Method = MethodDefinition<object, object>;

const TIMEOUT_MS = 60_000;
/** Before each message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5;

/** Connects with the first call. Calls fail with the server's StatusError, and with UNAVAILABLE where nobody listens. */
export function connectLean(address: string): LeanCri {
	const connection = new Connection(address.replace('unix://', ''));
	const calls = methods().map(([name, method]) => [
		name,
		(request: object = {}, { timeoutMs = TIMEOUT_MS }: LeanOptions = {}) =>
			connection.call(method, request, timeoutMs),
	]);
	return { ...Object.fromEntries(calls), close: () => connection.close() } as LeanCri;
}

function methods(): [string, Method][] {
	const loaded = loadSync(PROTO_PATH, PROTO_OPTIONS);
	return Object.entries(RPCS)
		.filter(([, { serverStream }]) => !serverStream)
		.map(([name, { service }]) => {
			const definition = loaded[`${PROTO_PACKAGE}.${service}`] as unknown as Record<string, Method>;
			return [name, definition[name] as Method];
		});
}

class Connection {
	#session: ClientHttp2Session | undefined;
	readonly #path: string;

	constructor(path: string) {
		this.#path = path;
	}

	call(method: Method, request: object, timeoutMs: number): Promise<object> {
		const stream = this.#open().request({
			':method': 'POST',
			':path': method.path,
			'content-type': 'application/grpc',
			te: 'trailers',
		});
		stream.end(withPrefix(method.requestSerialize(request)));
		return answerTo(stream, method, timeoutMs);
	}

	close(): void {
		this.#session?.close();
	}

	#open(): ClientHttp2Session {
		if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
		const session = connect('http://localhost', { createConnection: () => connectSocket(this.#path) });
		// The calls that are open fail with it, each for itself.
		session.on('error', () => session.destroy());
		this.#session = session;
		return session;
	}
}

function withPrefix(message: Buffer): Buffer {
	const framed = Buffer.alloc(PREFIX_BYTES + message.length);
	framed.writeUInt32BE(message.length, 1);
	message.copy(framed, PREFIX_BYTES);
	return framed;
}

function answerTo(stream: ClientHttp2Stream, method: Method, timeoutMs: number): Promise<object> {
	const { promise, resolve, reject } = Promise.withResolvers<object>();
	const chunks: Buffer[] = [];
	let ending: IncomingHttpHeaders = {};
	const timer = setTimeout(() => {
		reject(new StatusError('DEADLINE_EXCEEDED', `${method.path}: no answer within ${timeoutMs} ms`));
		stream.close(constants.NGHTTP2_CANCEL);
	}, timeoutMs);
	// A call that fails at once has no trailers: its status is in the headers.
	stream.once('response', (headers) => {
		ending = headers;
	});
	stream.once('trailers', (trailers) => {
		ending = trailers;
	});
	stream.on('data', (chunk: Buffer) => chunks.push(chunk));
	stream.once('error', (cause) =>
		reject(new StatusError('UNAVAILABLE', `${method.path}: ${cause.message}`, { cause })),
	);
	stream.once('close', () => {
		clearTimeout(timer);
		const failure = failureIn(ending, method);
		if (failure !== undefined) reject(failure);
		else resolve(method.responseDeserialize(Buffer.concat(chunks).subarray(PREFIX_BYTES)));
	});
	return promise;
}

function failureIn(ending: IncomingHttpHeaders, { path }: Method): StatusError | undefined {
	const code = Number(ending['grpc-status'] ?? status.UNAVAILABLE);
	if (code === status.OK) return undefined;
	const words = decodeURIComponent(String(ending['grpc-message'] ?? 'the connection has ended'));
	return new StatusError((status[code] ?? 'INTERNAL') as Condition, `${path}: ${words}`);
}
