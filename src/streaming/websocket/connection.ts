import type { Duplex } from 'node:stream';
import { messageOf } from '#base/errors.ts';
import { ChunkQueue, connectionRoom } from '../chunk-queue.ts';
import type { ClientConnection, ClientStream } from '../client.ts';
import { Ending } from '../ending.ts';
import { clientLeft, Outlet } from '../outlet.ts';
import type { AcceptedWebSocket } from './accept.ts';
import {
	type ChannelCodec,
	type ChannelMessage,
	CLOSE_CHANNEL,
	decodeMessage,
	encodeMessage,
} from './channels.ts';

export interface ChannelOptions {
	readonly codec: ChannelCodec;
	/** Channels that the client may send on. What comes on others is dropped: clients send sizes without a terminal. */
	readonly inputs: readonly number[];
	/** v5: the client can end a channel. */
	readonly halfClose: boolean;
}

/** Streams as channels of a WebSocket. */
export class ChannelConnection implements ClientConnection {
	readonly protocol: string;
	readonly #socket: AcceptedWebSocket;
	readonly #duplex: Duplex;
	readonly #outlet: Outlet;
	readonly #ending: Ending;
	readonly #options: ChannelOptions;
	readonly #inputs: ReadonlyMap<number, ChunkQueue>;
	#receivedBytes = 0;

	constructor(socket: AcceptedWebSocket, options: ChannelOptions) {
		this.protocol = socket.protocol;
		this.#socket = socket;
		this.#duplex = socket.messages();
		this.#outlet = new Outlet(this.#duplex);
		this.#ending = new Ending(this.#duplex);
		this.#options = options;
		const room = connectionRoom();
		this.#inputs = new Map(options.inputs.map((channel) => [channel, new ChunkQueue(room)]));
		void this.#ending.closed.then(() => this.#dropInput());
		void this.#read();
	}

	get closed(): Promise<string> {
		return this.#ending.closed;
	}

	get movedBytes(): number {
		return this.#receivedBytes + this.#outlet.sentBytes;
	}

	/** A channel has no end of its own in what we send: the connection's is. For one writer. */
	channel(number: number): ClientStream {
		const { codec } = this.#options;
		/** The longest message so far: its memory is used again, for it was sent when `write` has settled. */
		let longest: Buffer = Buffer.alloc(0);
		return {
			input: this.#inputs.get(number) ?? NOTHING,
			write: (data) => {
				const message = encodeMessage(number, data, codec, longest);
				if (typeof message !== 'string' && message.length > longest.length) longest = message;
				return this.#outlet.send(message);
			},
			end: async () => {},
			reset: () => this.#inputs.get(number)?.fail(clientLeft()),
		};
	}

	close(): void {
		this.#dropInput();
		this.#ending.close();
	}

	destroy(reason: string): void {
		this.#ending.destroy(reason);
	}

	async #read(): Promise<void> {
		try {
			for await (const message of this.#duplex as AsyncIterable<Buffer | string>) {
				const room = this.#ending.isClosing ? undefined : this.#take(message);
				if (room !== undefined) await this.#waitFor(room);
			}
			this.destroy('it closed the connection');
		} catch (error) {
			this.#ending.destroy(error);
		}
	}

	#take(message: Buffer | string): Promise<void> | undefined {
		const decoded = this.#decode(message);
		if (decoded === undefined) return undefined;
		const { channel, data } = decoded;
		if (channel === CLOSE_CHANNEL && this.#options.halfClose) {
			this.#inputs.get(data[0] ?? CLOSE_CHANNEL)?.end();
			return undefined;
		}
		this.#receivedBytes += data.length;
		return this.#inputs.get(channel)?.push(data);
	}

	#decode(message: Buffer | string): ChannelMessage | undefined {
		try {
			return decodeMessage(message, this.#options.codec);
		} catch (error) {
			// It is told before the connection ends, so the rest goes on being read.
			this.#socket.refuse(messageOf(error));
			this.#dropInput();
			this.#ending.close(messageOf(error));
			return undefined;
		}
	}

	/** A connection that is not read does not tell that it has ended; a pong that nobody asked for finds out. */
	async #waitFor(room: Promise<void>): Promise<void> {
		const stopLooking = this.#ending.lookWhileNotRead(() => this.#socket.pong());
		await room;
		stopLooking();
	}

	#dropInput(): void {
		for (const queue of this.#inputs.values()) queue.fail(clientLeft());
	}
}

/** Of a channel that the client cannot send on. */
const NOTHING: AsyncIterable<Buffer> = {
	async *[Symbol.asyncIterator]() {},
};
