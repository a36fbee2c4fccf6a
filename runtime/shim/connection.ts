import { Socket } from 'node:net';
import {
	cancelled,
	errnoOf,
	failedPrecondition,
	isNoRoom,
	messageOf,
	resourceExhausted,
	unavailable,
} from '#base/errors.ts';
import { encodeFrame, type Frame, FrameDecoder, type Message, type MessageName, stdinHead } from './codec.ts';
import { explain, ProtocolError } from './errors.ts';
import { OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION } from './schema.ts';

/** The versions of the protocol that a daemon speaks. */
export interface ProtocolVersions {
	readonly oldest: number;
	readonly newest: number;
}

const OUR_VERSIONS: ProtocolVersions = { oldest: OLDEST_PROTOCOL_VERSION, newest: PROTOCOL_VERSION };

interface Pending {
	readonly resolve: (frame: Frame) => void;
	readonly reject: (error: Error) => void;
}

/** Frames that answer no request: events, and what flows on a stream. */
const UNASKED: ReadonlySet<MessageName> = new Set<MessageName>(['OUTPUT', 'EXITED', 'FORWARD_CLOSED']);

/**
 * A framed connection to a shim or the launcher: requests with their replies, and frames that nobody asked for.
 * An ERROR reply rejects with ProtocolError; a lost connection rejects everything with UNAVAILABLE.
 */
export class FrameConnection {
	readonly #socket: Socket;
	readonly #peer: string;
	readonly #decoder = new FrameDecoder();
	readonly #pending = new Map<number, Pending>();
	readonly #ended = Promise.withResolvers<string>();
	#nextId = 1;
	#lost: string | undefined;
	/** We had no descriptor for it. */
	#noRoom = false;
	#onFrame: (frame: Frame) => void = () => {};

	/** `peer` names the other side in errors. */
	constructor(socket: Socket, peer: string) {
		this.#socket = socket;
		this.#peer = peer;
		socket.on('data', (chunk: Buffer) => this.#receive(chunk));
		socket.on('error', (error) => {
			this.#noRoom = isNoRoom(errnoOf(error));
			this.#lose(messageOf(error));
		});
		socket.on('close', () => this.#lose('it closed the connection'));
	}

	/** Settles with the reason when the connection is gone, whoever ended it. */
	get ended(): Promise<string> {
		return this.#ended.promise;
	}

	/** Hears of events and stream frames. */
	onFrame(listener: (frame: Frame) => void): void {
		this.#onFrame = listener;
	}

	/** HELLO and WELCOME: the first exchange. FAILED_PRECONDITION when the other side speaks none of our versions. */
	async greet({ oldest, newest }: ProtocolVersions = OUR_VERSIONS): Promise<Message<'WELCOME'>> {
		const welcome = await this.request('HELLO', { version: newest }, 'WELCOME');
		if (welcome.version >= oldest && welcome.version <= newest) return welcome;
		throw failedPrecondition(
			`${this.#peer} speaks version ${welcome.version} of the protocol, and this gantryd versions ${oldest} to ` +
				`${newest}: use the gantryd that it came with or a later one, or remove the pod`,
		);
	}

	/** Sends a request and waits for its reply. On abort the reply is no longer waited for; what it asked for goes on. */
	async request<N extends MessageName, R extends MessageName>(
		type: N,
		body: Message<N>,
		reply: R,
		signal?: AbortSignal,
	): Promise<Message<R>> {
		if (signal?.aborted) throw cancelled(`The call was cancelled before ${type} was sent to ${this.#peer}`);
		const requestId = this.#nextId++;
		const frame = encodeFrame(type, requestId, body);
		const answer = Promise.withResolvers<Frame>();
		const abort = () =>
			answer.reject(cancelled(`The call was cancelled while ${this.#peer} carried out ${type}`));
		signal?.addEventListener('abort', abort, { once: true });
		this.#pending.set(requestId, answer);
		try {
			if (this.#lost !== undefined) throw this.#gone(this.#lost);
			this.#socket.write(frame);
			return expectReply(await answer.promise, reply, this.#peer);
		} finally {
			this.#pending.delete(requestId);
			signal?.removeEventListener('abort', abort);
		}
	}

	/** Sends a frame that has no reply; settles when the kernel has it. */
	async send<N extends MessageName>(type: N, body: Message<N>): Promise<void> {
		if (this.#lost !== undefined) throw this.#gone(this.#lost);
		await this.#handOver(encodeFrame(type, 0, body));
		if (this.#lost !== undefined) throw this.#gone(this.#lost);
	}

	/** Sends a STDIN; settles when the kernel has it. */
	async sendStdin(data: Uint8Array): Promise<void> {
		if (this.#lost !== undefined) throw this.#gone(this.#lost);
		await this.#handOver(stdinHead(data.length), data);
		if (this.#lost !== undefined) throw this.#gone(this.#lost);
	}

	/** Settles when the kernel has it, or the connection is gone. */
	#handOver(...parts: readonly Uint8Array[]): Promise<void> {
		return new Promise((resolve) => {
			this.#socket.cork();
			parts.forEach((part, index) => {
				this.#socket.write(part, index === parts.length - 1 ? () => resolve() : undefined);
			});
			this.#socket.uncork();
		});
	}

	/** Stops reading: the other side waits in turn. */
	pause(): void {
		this.#socket.pause();
	}

	resume(): void {
		this.#socket.resume();
	}

	/** Whether the process may end while this connection is open. */
	unref(): void {
		this.#socket.unref();
	}

	close(): void {
		this.#socket.destroy();
		this.#lose('we closed the connection');
	}

	#receive(chunk: Buffer): void {
		let frames: Frame[];
		try {
			frames = this.#decoder.push(chunk);
		} catch (error) {
			this.#lose(`it sent what is no frame of ours: ${messageOf(error)}`);
			this.#socket.destroy();
			return;
		}
		for (const frame of frames) {
			const pending = UNASKED.has(frame.type) ? undefined : this.#pending.get(frame.requestId);
			if (pending !== undefined) pending.resolve(frame);
			else if (UNASKED.has(frame.type)) this.#onFrame(frame);
		}
	}

	#lose(reason: string): void {
		if (this.#lost !== undefined) return;
		this.#lost = reason;
		for (const { reject } of this.#pending.values()) reject(this.#gone(reason));
		this.#ended.resolve(reason);
	}

	#gone(reason: string): Error {
		return this.#noRoom
			? resourceExhausted(`Cannot talk to ${inSentence(this.#peer)}: ${reason}`)
			: unavailable(`${this.#peer} does not answer: ${reason}`);
	}
}

const inSentence = (peer: string): string => peer.replace(/^The/, 'the');

function expectReply<R extends MessageName>(frame: Frame, reply: R, peer: string): Message<R> {
	if (frame.type === 'ERROR') throw new ProtocolError(frame.body);
	if (frame.type !== reply) throw unavailable(`${peer} answered ${frame.type} where ${reply} was expected`);
	return frame.body as unknown as Message<R>;
}

/** What is read at once: little at first, for most streams are short; more when that was not enough. */
const FIRST_READ_BYTES = 4 * 1024;
const READ_BYTES = 256 * 1024;

/**
 * A socket that is read into the same memory again and again, so that much output is no garbage: whoever wants to keep
 * what `data` brings pauses, or copies it. And it is read to its end when the other side takes nothing more: a shim
 * closes the stream of a process that has ended while input for it is on its way, and what it has said before is the
 * exit code.
 */
class ReadingSocket extends Socket {
	constructor() {
		let memory = Buffer.allocUnsafeSlow(FIRST_READ_BYTES);
		let wasFull = false;
		super({
			onread: {
				buffer() {
					if (wasFull && memory.length < READ_BYTES) memory = Buffer.allocUnsafeSlow(memory.length * 4);
					return memory;
				},
				callback: (bytes) => {
					wasFull = bytes === memory.length;
					this.emit('data', memory.subarray(0, bytes));
					return true;
				},
			},
		});
	}

	override _write(chunk: unknown, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
		super._write(chunk, encoding, unlessDeaf(done));
	}

	override _writev(
		chunks: { chunk: unknown; encoding: BufferEncoding }[],
		done: (error?: Error | null) => void,
	): void {
		super._writev?.(chunks, unlessDeaf(done));
	}
}

const unlessDeaf = (done: (error?: Error | null) => void) => (error?: Error | null) =>
	done(errnoOf(error) === 'EPIPE' ? null : error);

/** Connects to a Unix socket and greets. UNAVAILABLE when nobody listens there; else as `greet`. */
export async function openConnection(
	socketPath: string,
	peer: string,
	versions?: ProtocolVersions,
): Promise<{ connection: FrameConnection; welcome: Message<'WELCOME'> }> {
	const socket = new ReadingSocket().connect(socketPath);
	const connection = new FrameConnection(socket, peer);
	try {
		return { connection, welcome: await connection.greet(versions) };
	} catch (error) {
		connection.close();
		throw explain(`connect to ${inSentence(peer)}`, error);
	}
}
