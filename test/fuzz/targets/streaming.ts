/** What clients of exec, attach and port-forward send. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { constants, deflateSync } from 'node:zlib';
import { offerOf } from '../../../src/streaming/http.ts';
import { terminalSizes } from '../../../src/streaming/remote-command/resize.ts';
import { SpdyConnection } from '../../../src/streaming/spdy/connection.ts';
import { DICTIONARY } from '../../../src/streaming/spdy/dictionary.ts';
import {
	dataHead,
	goAway,
	ping,
	rstStream,
	SpdyDecoder,
	SpdyError,
	synReply,
	synStream,
} from '../../../src/streaming/spdy/frames.ts';
import { HeaderReader, parseHeaders } from '../../../src/streaming/spdy/headers.ts';
import { ChannelError, decodeMessage, encodeMessage } from '../../../src/streaming/websocket/channels.ts';
import { plainBlock } from '../../support/spdy-client.ts';
import type { Target } from '../target.ts';
import { pieceList } from './pieces.ts';

const plain = plainBlock({ streamtype: 'data', port: '80', requestid: '0' });
const block = deflateSync(plain, { dictionary: DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });
const session = Buffer.concat([
	synStream(1, block),
	dataHead(1, 5),
	Buffer.from('hello'),
	dataHead(1, 0, true),
	ping(1),
	rstStream(1, 5),
	synReply(3, block),
	goAway(1),
]);
const isSpdyError = (error: unknown) => error instanceof SpdyError;

/** However they are cut, the bytes mean the same; what is kept is bounded. */
const frames: Target = {
	seeds: [session],
	run(input) {
		const read = (chunks: readonly Buffer[]) => {
			const decoder = new SpdyDecoder();
			const data = new Map<number, Buffer>();
			const others: unknown[] = [];
			for (const frame of chunks.flatMap((chunk) => [...decoder.push(chunk)]))
				if (frame.type === 'data')
					data.set(frame.streamId, Buffer.concat([data.get(frame.streamId) ?? Buffer.alloc(0), frame.data]));
				else others.push(frame);
			return { data, others };
		};
		assert.deepEqual(read(pieceList(input)), read([input]));
	},
	refuses: isSpdyError,
};

const headers: Target = {
	seeds: [plain, block],
	cost: 20,
	async run(input) {
		using reader = new HeaderReader();
		await reader.read(input).catch((error: unknown) => {
			if (!isSpdyError(error)) throw error;
		});
		for (const [name] of parseHeaders(input)) assert.equal(name, name.toLowerCase());
	},
	refuses: isSpdyError,
};

/** A whole session: nothing that comes can make it fail, hang, or answer without end. */
const connection: Target = {
	seeds: [session],
	cost: 60,
	async run(input) {
		const duplex = new PassThrough();
		let written = 0;
		duplex._write = (chunk: Buffer, _encoding, done) => {
			written += chunk.length;
			done();
		};
		duplex._final = (done) => done();
		const spdy = new SpdyConnection(duplex, 'fuzz', ({ id }) => id % 3 !== 0);
		for (const chunk of pieceList(input)) duplex.push(Buffer.from(chunk));
		duplex.push(null);
		await spdy.closed;
		assert.ok(written <= 64 + input.length * 20, `${written} bytes in answer to ${input.length}`);
	},
};

const channels: Target = {
	seeds: ['\0hello', '0aGVsbG8=', '4eyJXaWR0aCI6ODAsIkhlaWdodCI6MjV9', Buffer.from([255, 0])],
	tokens: ['0', '9', '=', '==', 'YQ=='],
	run(input) {
		for (const codec of ['binary', 'base64'] as const) {
			const message = decodeMessage(input, codec);
			if (message === undefined) continue;
			const again = encodeMessage(message.channel, message.data, codec);
			assert.deepEqual(decodeMessage(again, codec), message);
		}
	},
	refuses: (error) => error instanceof ChannelError,
};

const sizes: Target = {
	seeds: ['{"Width":80,"Height":25}\n{"Width":1,"Height":2}'],
	tokens: ['{', '}', '"Width"', '"Height"', '65535', '65536'],
	async run(input) {
		async function* chunks() {
			yield* pieceList(input);
		}
		for await (const { columns, rows } of terminalSizes(chunks()))
			assert.ok(columns <= 65535 && rows <= 65535);
	},
};

const upgrades: Target = {
	seeds: [
		'Upgrade\nSPDY/3.1\nv4.channel.k8s.io, v5.channel.k8s.io',
		'keep-alive, upgrade\nwebsocket\nv4.channel.k8s.io',
	],
	tokens: [',', ' ', 'upgrade', 'websocket'],
	run(input) {
		const [connectionHeader, upgrade, protocols] = input.toString().split('\n');
		const headers = {
			connection: connectionHeader,
			upgrade,
			'sec-websocket-protocol': protocols,
			'x-stream-protocol-version': protocols,
		};
		for (const protocol of offerOf({ headers }).protocols) assert.equal(protocol, protocol.trim());
	},
	refuses: (error) => error instanceof Error && error.name === 'HttpRefusal',
};

export const STREAMING = {
	'spdy-frames': frames,
	'spdy-headers': headers,
	'spdy-connection': connection,
	'channel-messages': channels,
	'terminal-sizes': sizes,
	upgrades,
};
