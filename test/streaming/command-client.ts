/** A client of exec and attach for tests, the same over SPDY and over a WebSocket. */
import { WebSocket } from 'ws';
import { Refused, SpdyClient, upgradeToSpdy } from '../support/spdy-client.ts';

export type Transport = 'spdy' | 'websocket';

export interface CommandOptions {
	readonly transport: Transport;
	/** Default: the newest. */
	readonly protocol?: string;
	readonly stdin?: boolean;
	readonly stdout?: boolean;
	readonly stderr?: boolean;
	readonly tty?: boolean;
	/** What comes on stdout is counted, and not kept. */
	readonly countsOnly?: boolean;
}

export interface CommandClient {
	readonly protocol: string;
	write(data: string | Uint8Array): void;
	/** Writes, and waits until the kernel has it. */
	handOver(data: Uint8Array): Promise<void>;
	endStdin(): void;
	resize(columns: number, rows: number): void;
	/** What has come so far. */
	stdout(): string;
	stderr(): string;
	receivedBytes(): number;
	/** Written, and not taken by the server's side yet. */
	unsentBytes(): number;
	/** The error channel, whole: when the connection has ended. */
	status(): Promise<string>;
	/** Stops reading. */
	pause(): void;
	resume(): void;
	/** As if the client had been killed. */
	vanish(): void;
	readonly closed: Promise<void>;
}

/** Connects, and opens the streams. Rejects with Refused. */
export async function connectCommand(url: string, options: CommandOptions): Promise<CommandClient> {
	return options.transport === 'spdy' ? await overSpdy(url, options) : await overWebSocket(url, options);
}

async function overSpdy(url: string, options: CommandOptions): Promise<CommandClient> {
	const { socket, protocol } = await upgradeToSpdy(url, [options.protocol ?? 'v5.channel.k8s.io']);
	const client = new SpdyClient(socket);
	const open = (streamtype: string, isWanted: boolean | undefined) =>
		isWanted ? client.open({ streamtype }) : undefined;
	const error = await client.open({ streamtype: 'error' });
	const stdin = await open('stdin', options.stdin);
	const stdout = await open('stdout', options.stdout ?? true);
	const stderr = await open('stderr', options.stderr ?? !options.tty);
	const resize = await open('resize', options.tty && !/^(v2\.)?channel/.test(protocol));
	if (stdout !== undefined) stdout.countsOnly = options.countsOnly === true;
	return {
		protocol,
		write: (data) => stdin?.write(data),
		handOver: (data) => new Promise((resolve) => stdin?.write(data, resolve)),
		endStdin: () => stdin?.end(),
		resize: (Width, Height) => resize?.write(`${JSON.stringify({ Width, Height })}\n`),
		stdout: () => stdout?.received ?? '',
		stderr: () => stderr?.received ?? '',
		receivedBytes: () => (stdout?.receivedBytes ?? 0) + (stderr?.receivedBytes ?? 0),
		unsentBytes: () => socket.writableLength,
		async status() {
			await client.closed;
			return error.received;
		},
		pause: () => socket.pause(),
		resume: () => socket.resume(),
		vanish: () => socket.destroy(),
		closed: client.closed,
	};
}

async function overWebSocket(url: string, options: CommandOptions): Promise<CommandClient> {
	const { protocol = 'v5.channel.k8s.io' } = options;
	const socket = new WebSocket(url.replace(/^http/, 'ws'), protocol === '' ? [] : [protocol]);
	const isBase64 = protocol.includes('base64');
	const received = new Map<number, Buffer[]>();
	let countedBytes = 0;
	socket.on('message', (message: Buffer) => {
		const channel = isBase64 ? (message[0] ?? 0) - 0x30 : (message[0] ?? 0);
		const data = isBase64 ? Buffer.from(message.toString().slice(1), 'base64') : message.subarray(1);
		if (channel === 1 && options.countsOnly) countedBytes += data.length;
		else received.set(channel, [...(received.get(channel) ?? []), data]);
	});
	const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
	await new Promise<void>((resolve, reject) => {
		socket.on('open', resolve);
		socket.on('error', reject);
		socket.on('unexpected-response', async (_, response) => {
			let text = '';
			for await (const chunk of response) text += chunk;
			reject(new Refused(response.statusCode ?? 0, text, response.headers));
		});
	});
	socket.on('error', () => {});
	const send = (channel: number, data: string | Uint8Array): void => {
		const bytes = Buffer.from(data);
		socket.send(
			isBase64 ? `${channel}${bytes.toString('base64')}` : Buffer.concat([Buffer.of(channel), bytes]),
		);
	};
	const textOf = (channel: number) => Buffer.concat(received.get(channel) ?? []).toString();
	return {
		protocol: socket.protocol,
		write: (data) => send(0, data),
		handOver: (data) =>
			new Promise((resolve) => {
				socket.send(Buffer.concat([Buffer.of(0), data]), () => resolve());
			}),
		endStdin: () => socket.send(Buffer.of(255, 0)),
		resize: (Width, Height) => send(4, JSON.stringify({ Width, Height })),
		stdout: () => textOf(1),
		stderr: () => textOf(2),
		receivedBytes: () =>
			[1, 2]
				.flatMap((channel) => received.get(channel) ?? [])
				.reduce((sum, { length }) => sum + length, countedBytes),
		unsentBytes: () => socket.bufferedAmount,
		async status() {
			await closed;
			return textOf(3);
		},
		pause: () => socket.pause(),
		resume: () => socket.resume(),
		vanish: () => socket.terminate(),
		closed,
	};
}
