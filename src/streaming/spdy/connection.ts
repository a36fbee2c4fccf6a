import type { Duplex } from 'node:stream';
import { ChunkQueue, connectionRoom } from '../chunk-queue.ts';
import type { ClientConnection, ClientStream } from '../client.ts';
import { Ending } from '../ending.ts';
import { clientLeft, Outlet } from '../outlet.ts';
import { dataHead, goAway, ping, RESET, rstStream, SpdyDecoder, type SpdyFrame, synReply } from './frames.ts';
import { HeaderReader, HeaderWriter, type SpdyHeaders } from './headers.ts';

/** Streams that one client may have open. A forwarded connection takes two. */
const MAX_STREAMS = 2048;
/** A data frame has a length of 24 bits. */
const MAX_DATA_BYTES = 0xffffff;

/** A stream that the client has opened. */
export interface SpdyStream extends ClientStream {
	readonly id: number;
	readonly headers: SpdyHeaders;
}

interface State {
	readonly queue: ChunkQueue;
	theyEnded: boolean;
	weEnded: boolean;
}

/**
 * The server's side of a SPDY/3.1 session as Kubernetes' clients speak it: they open every stream, and take no notice
 * of windows. So there are none; a stream that is not read holds up the whole connection, as in their own servers.
 */
export class SpdyConnection implements ClientConnection {
	readonly protocol: string;
	readonly #duplex: Duplex;
	readonly #outlet: Outlet;
	readonly #ending: Ending;
	readonly #onStream: (stream: SpdyStream) => boolean;
	readonly #headers = new HeaderReader();
	readonly #replies = new HeaderWriter();
	readonly #room = connectionRoom();
	readonly #streams = new Map<number, State>();
	#lastId = 0;
	#receivedBytes = 0;
	#sentBytes = 0;

	/** `onStream`: whether the stream is taken; before its client hears so. */
	constructor(duplex: Duplex, protocol: string, onStream: (stream: SpdyStream) => boolean) {
		this.protocol = protocol;
		this.#duplex = duplex;
		this.#outlet = new Outlet(duplex);
		this.#onStream = onStream;
		this.#ending = new Ending(duplex);
		void this.#ending.closed.then(() => {
			for (const { queue } of this.#streams.values()) queue.fail(clientLeft());
			this.#streams.clear();
			this.#headers[Symbol.dispose]();
		});
		void this.#read();
	}

	get closed(): Promise<string> {
		return this.#ending.closed;
	}

	get movedBytes(): number {
		return this.#receivedBytes + this.#sentBytes;
	}

	close(): void {
		this.#outlet.sendNow(goAway(this.#lastId));
		for (const { queue } of this.#streams.values()) queue.fail(clientLeft());
		this.#ending.close();
	}

	destroy(reason: string): void {
		this.#ending.destroy(reason);
	}

	async #read(): Promise<void> {
		const decoder = new SpdyDecoder();
		try {
			for await (const chunk of this.#duplex as AsyncIterable<Buffer>) {
				for (const frame of decoder.push(chunk)) {
					const busy = this.#take(frame);
					if (busy !== undefined) await busy;
				}
			}
			this.destroy('it closed the connection');
		} catch (error) {
			this.#ending.destroy(error);
		}
	}

	/** A promise: nothing more may be taken before it settles. */
	#take(frame: SpdyFrame): Promise<void> | undefined {
		switch (frame.type) {
			case 'data':
				return this.#takeData(frame.streamId, frame.data, frame.fin);
			case 'open':
				return this.#open(frame.streamId, frame.block, frame.fin);
			case 'headers':
			case 'reply':
				return this.#ignoreHeaders(frame.block);
			case 'reset':
				this.#forget(frame.streamId);
				return undefined;
			case 'ping':
				// Odd ones are the client's; even ones would be answers to ours.
				if (frame.id % 2 === 1) this.#outlet.sendNow(ping(frame.id));
				return undefined;
			default:
				return undefined;
		}
	}

	#takeData(id: number, data: Buffer, fin: boolean): Promise<void> | undefined {
		const state = this.#streams.get(id);
		if (state === undefined) {
			// What was on its way when we ended a stream is dropped; a stream that never was is told.
			if (id > this.#lastId || id % 2 === 0) this.#outlet.sendNow(rstStream(id, RESET.INVALID_STREAM));
			return undefined;
		}
		if (state.theyEnded) return undefined;
		this.#receivedBytes += data.length;
		const room = state.queue.push(data);
		if (fin) this.#theyEnded(id, state);
		return room && this.#waitFor(room, id);
	}

	/** A connection that is not read does not tell that it has ended; a frame that says nothing finds out. */
	async #waitFor(room: Promise<void>, id: number): Promise<void> {
		const stopLooking = this.#ending.lookWhileNotRead(() => this.#outlet.sendNow(dataHead(id, 0)));
		await room;
		stopLooking();
	}

	async #open(id: number, block: Buffer, fin: boolean): Promise<void> {
		// Also of a stream that is refused: the blocks of a connection are one stream of zlib.
		const headers = await this.#headers.read(block);
		const refused = this.#refusalOf(id);
		this.#lastId = Math.max(this.#lastId, id);
		if (refused !== undefined) {
			await this.#outlet.send(rstStream(id, refused));
			return;
		}
		const state: State = { queue: new ChunkQueue(this.#room), theyEnded: false, weEnded: false };
		this.#streams.set(id, state);
		if (fin) this.#theyEnded(id, state);
		if (!this.#onStream(this.#stream(id, headers, state))) {
			this.#forget(id);
			await this.#outlet.send(rstStream(id, RESET.REFUSED_STREAM));
			return;
		}
		await this.#outlet.send(synReply(id, this.#replies.write({})));
	}

	#refusalOf(id: number): number | undefined {
		if (id % 2 === 0 || id <= this.#lastId) return RESET.PROTOCOL_ERROR;
		return this.#streams.size >= MAX_STREAMS || this.#ending.isClosing ? RESET.REFUSED_STREAM : undefined;
	}

	async #ignoreHeaders(block: Buffer): Promise<void> {
		await this.#headers.read(block);
	}

	#stream(id: number, headers: SpdyHeaders, state: State): SpdyStream {
		return {
			id,
			headers,
			input: state.queue,
			write: (data) => this.#write(id, state, data),
			end: () => this.#end(id, state),
			reset: () => {
				if (state.weEnded && state.theyEnded) return;
				this.#forget(id);
				this.#outlet.sendNow(rstStream(id, RESET.CANCEL));
			},
		};
	}

	async #write(id: number, state: State, data: Uint8Array): Promise<void> {
		for (let at = 0; at < data.length; at += MAX_DATA_BYTES) {
			if (state.weEnded) throw clientLeft();
			const piece = data.subarray(at, at + MAX_DATA_BYTES);
			await this.#outlet.send(dataHead(id, piece.length), piece);
			this.#sentBytes += piece.length;
		}
	}

	async #end(id: number, state: State): Promise<void> {
		if (state.weEnded) return;
		state.weEnded = true;
		if (state.theyEnded) this.#streams.delete(id);
		await this.#outlet.send(dataHead(id, 0, true)).catch(() => {});
	}

	#theyEnded(id: number, state: State): void {
		state.theyEnded = true;
		state.queue.end();
		if (state.weEnded) this.#streams.delete(id);
	}

	/** The stream is reset, by whomever. */
	#forget(id: number): void {
		const state = this.#streams.get(id);
		if (state === undefined) return;
		state.theyEnded = true;
		state.weEnded = true;
		state.queue.fail(clientLeft());
		this.#streams.delete(id);
	}
}
