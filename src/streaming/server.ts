import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo, isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { fromSystemError, messageOf } from '#base/errors.ts';
import { createServer } from '#base/http.ts';
import type { Log } from '#base/log.ts';
import { splitHostPort } from '../config/kinds.ts';
import type { Config } from '../config/types.ts';
import { Certificate } from './certificate.ts';
import { HttpRefusal, refuseUpgrade } from './http.ts';
import type { RequestKind, StreamRequest } from './requests.ts';
import { Tokens } from './tokens.ts';

/** A client that asks to be served. */
export interface Upgrade {
	readonly request: IncomingMessage;
	readonly socket: Duplex;
	readonly head: Buffer;
	/** The URL is good for nothing any more. To be called when the request is about to be accepted. */
	accept(): void;
}

/** Serves one client to its end. An HttpRefusal that it throws before it accepted is answered. */
export type Serve = (wanted: StreamRequest, upgrade: Upgrade) => Promise<void>;

const KEEP_ALIVE_MS = 30_000;

/** What clients without a token can hold. */
export interface ServerLimits {
	readonly connections: number;
	/** For the handshake of TLS, and for the head of a request. */
	readonly headersMs: number;
	/** How often it is looked who is too late. */
	readonly lookMs: number;
}
const LIMITS: ServerLimits = { connections: 4096, headersMs: 10_000, lookMs: 5000 };

/** The HTTP server that exec, attach and port-forward are spoken to. It knows who may ask for what, and nothing else. */
export class StreamingServer implements AsyncDisposable {
	readonly #server: Server | TlsServer;
	readonly #certificate: Certificate | undefined;
	readonly #tokens: Tokens<StreamRequest>;
	readonly #ttlSeconds: number;
	readonly #serve: Serve;
	readonly #log: Log;
	readonly #sockets = new Set<Duplex>();
	readonly #serving = new Set<Promise<void>>();

	private constructor(
		server: Server | TlsServer,
		certificate: Certificate | undefined,
		{ ttlSeconds, serve, log }: { ttlSeconds: number; serve: Serve; log: Log },
	) {
		this.#server = server;
		this.#certificate = certificate;
		this.#ttlSeconds = ttlSeconds;
		this.#tokens = new Tokens(ttlSeconds * 1000);
		this.#serve = serve;
		this.#log = log;
		server.on('request', (request, response) => this.#answer(request, response));
		server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
	}

	/** Listens at `streaming.address`. FAILED_PRECONDITION naming the option when the certificate is not good. */
	static async start(
		config: Config['streaming'],
		log: Log,
		serve: Serve,
		{ connections, headersMs, lookMs }: ServerLimits = LIMITS,
	): Promise<StreamingServer> {
		const { tlsCertificate, tlsKey, address, tokenTtlSeconds } = config;
		const certificate =
			tlsCertificate === '' ? undefined : new Certificate({ certificate: tlsCertificate, key: tlsKey }, log);
		const times = { headersTimeout: headersMs, connectionsCheckingInterval: lookMs };
		const server =
			certificate === undefined
				? createServer(times)
				: createTlsServer({ ...times, handshakeTimeout: headersMs, ...(await certificate.load()) });
		server.maxConnections = connections;
		await listen(server, address);
		if (certificate === undefined && !isLoopback(server.address() as AddressInfo))
			log.warn(
				'The streaming server listens beyond loopback without TLS: whoever sees its traffic can read and use what flows in exec, attach and port-forward. Set streaming.tls_certificate and streaming.tls_key, or an address on loopback',
				{ address },
			);
		return new StreamingServer(server, certificate, { ttlSeconds: tokenTtlSeconds, serve, log });
	}

	/** A URL that is good for this request, once, for a while. RESOURCE_EXHAUSTED when too many are unused. */
	async urlFor(request: StreamRequest): Promise<string> {
		await this.#certificate?.refresh(this.#server as TlsServer);
		return `${this.baseUrl}/${request.kind}/${this.#tokens.add(request)}`;
	}

	/** Where it listens, as somebody on this node reaches it. */
	get baseUrl(): string {
		const { address, port } = this.#server.address() as AddressInfo;
		const host = ANY[address] ?? address;
		return `${this.#certificate ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
	}

	/** Ends every stream: commands of exec end with it, containers go on. */
	async [Symbol.asyncDispose](): Promise<void> {
		const closed = new Promise((resolve) => this.#server.close(resolve));
		this.#server.closeAllConnections();
		for (const socket of this.#sockets) socket.destroy();
		await Promise.all(this.#serving);
		await closed;
	}

	#answer(request: IncomingMessage, response: ServerResponse): void {
		const { code, message, headers } = refusalOf(() => {
			this.#find(request);
			throw new HttpRefusal(400, 'unable to upgrade: the request has no "Connection: Upgrade" and "Upgrade"');
		});
		response.writeHead(code, {
			'content-type': 'text/plain; charset=utf-8',
			connection: 'close',
			...headers,
		});
		response.end(`${message}\n`);
	}

	#upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
		this.#sockets.add(socket);
		socket.once('close', () => this.#sockets.delete(socket));
		// Until somebody else looks after it.
		socket.on('error', (error) =>
			this.#log.debug('A streaming connection broke', { error: messageOf(error) }),
		);
		(socket as Socket).setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
		const serving = this.#serveOne(request, socket, head).finally(() => this.#serving.delete(serving));
		this.#serving.add(serving);
	}

	async #serveOne(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
		let isAccepted = false;
		try {
			const { token, wanted } = this.#find(request);
			const accept = () => {
				isAccepted = true;
				this.#tokens.use(token);
			};
			await this.#serve(wanted, { request, socket, head, accept });
		} catch (error) {
			const refusal = refusalOf(() => {
				throw error;
			});
			if (isAccepted) socket.destroy();
			else refuseUpgrade(socket, refusal);
			this.#log.warn('A streaming request was refused', { code: refusal.code, error: messageOf(error) });
		}
	}

	/** 404 unless the path is a URL of ours that is still good. */
	#find({ url = '', method }: IncomingMessage): { readonly token: string; readonly wanted: StreamRequest } {
		const [path = ''] = url.split('?', 1);
		const [, kind, token = ''] = /^\/(exec|attach|portforward)\/([\w-]+)$/.exec(path) ?? [];
		const wanted = this.#tokens.peek(token);
		if (wanted === undefined || wanted.kind !== (kind as RequestKind))
			throw new HttpRefusal(
				404,
				`This streaming URL is not good: it was used already, is older than ${this.#ttlSeconds} s, or was altered; ask the runtime for a new one`,
			);
		if (method !== 'GET' && method !== 'POST') throw new HttpRefusal(405, `${method} is not answered here`);
		return { token, wanted };
	}
}

/** What listens everywhere is reached here. */
const ANY: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

const isLoopback = ({ address }: AddressInfo): boolean =>
	/^(::ffff:)?127\./.test(address) || address === '::1';

function refusalOf(work: () => never): HttpRefusal {
	try {
		return work();
	} catch (error) {
		return error instanceof HttpRefusal ? error : new HttpRefusal(500, messageOf(error));
	}
}

function listen(server: Server | TlsServer, address: string): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once('error', (error) =>
			reject(fromSystemError(`Cannot serve streams on ${address} (streaming.address)`, error)),
		);
		server.listen(splitHostPort(address), () => resolve());
	});
}
