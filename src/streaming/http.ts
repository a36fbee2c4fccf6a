/** The HTTP side of an upgrade: what the client offers, and how it is accepted or refused. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { STATUS_CODES } from '#base/http.ts';

const SPDY = 'SPDY/3.1';
/** Kubernetes' own header for protocols within SPDY; may come several times. */
const PROTOCOL_HEADER = 'x-stream-protocol-version';

/** A request that is answered with an HTTP error. */
export class HttpRefusal extends Error {
	override readonly name = 'HttpRefusal';
	readonly code: number;
	readonly headers: Readonly<Record<string, string>>;

	constructor(code: number, message: string, headers: Readonly<Record<string, string>> = {}) {
		super(message);
		this.code = code;
		this.headers = headers;
	}
}

export interface Offer {
	readonly transport: 'spdy' | 'websocket';
	/** What the client can speak, in its order. */
	readonly protocols: readonly string[];
}

/** 400 when it is no upgrade to a protocol of ours. */
export function offerOf({ headers }: Pick<IncomingMessage, 'headers'>): Offer {
	const upgrade = (headers.upgrade ?? '').toLowerCase();
	if (!listOf(headers.connection).some((word) => word.toLowerCase() === 'upgrade'))
		throw new HttpRefusal(400, 'unable to upgrade: missing "Connection: Upgrade" in the request');
	if (upgrade === 'websocket')
		return { transport: 'websocket', protocols: listOf(headers['sec-websocket-protocol']) };
	if (upgrade !== SPDY.toLowerCase())
		throw new HttpRefusal(
			400,
			`unable to upgrade to "${upgrade}": only ${SPDY} and websocket are spoken here`,
		);
	const protocols = listOf(headers[PROTOCOL_HEADER]);
	if (protocols.length === 0)
		throw new HttpRefusal(400, `unable to upgrade: ${PROTOCOL_HEADER} is missing in the request`);
	return { transport: 'spdy', protocols };
}

/** The first of the client's that is among ours. 403 naming ours when there is none. */
export function chooseProtocol({ transport, protocols }: Offer, ours: readonly string[]): string {
	// A WebSocket client that names none speaks the first that there was.
	if (transport === 'websocket' && protocols.length === 0 && ours.includes('')) return '';
	const found = protocols.find((protocol) => ours.includes(protocol));
	if (found !== undefined) return found;
	const named = ours.filter((protocol) => protocol !== '');
	throw new HttpRefusal(
		403,
		`unable to upgrade: unable to negotiate protocol: client supports [${protocols.join(', ')}], server accepts [${named.join(', ')}]`,
		transport === 'spdy' ? { 'X-Accepted-Stream-Protocol-Versions': named.join(', ') } : {},
	);
}

function listOf(header: string | readonly string[] | undefined): readonly string[] {
	const text = typeof header === 'string' ? header : (header ?? []).join(',');
	return text
		.split(',')
		.map((word) => word.trim())
		.filter((word) => word !== '');
}

/** From now on both sides speak SPDY. */
export function switchToSpdy(socket: Duplex, head: Buffer, protocol: string): void {
	socket.write(
		responseHead(101, { Connection: 'Upgrade', Upgrade: SPDY, 'X-Stream-Protocol-Version': protocol }),
	);
	if (head.length > 0) socket.unshift(head);
}

/** Answers an upgrade with an error, and closes. */
export function refuseUpgrade(socket: Duplex, { code, message, headers }: HttpRefusal): void {
	const body = `${message}\n`;
	const head = responseHead(code, {
		Connection: 'close',
		'Content-Type': 'text/plain; charset=utf-8',
		'Content-Length': String(Buffer.byteLength(body)),
		...headers,
	});
	socket.end(head + body, () => socket.destroy());
}

function responseHead(code: number, headers: Readonly<Record<string, string>>): string {
	const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
	return `HTTP/1.1 ${code} ${STATUS_CODES[code]}\r\n${lines.join('')}\r\n`;
}
