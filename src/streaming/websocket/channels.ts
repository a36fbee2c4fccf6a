/**
 * Kubernetes' channels within a WebSocket: the first byte of each message is the number of its channel. In the base64
 * protocols messages are text: the number as a digit, then base64.
 */

export type ChannelCodec = 'binary' | 'base64';

/** v5: a message on this channel names one that the client sends nothing more on. */
export const CLOSE_CHANNEL = 255;

export interface ChannelMessage {
	readonly channel: number;
	readonly data: Buffer;
}

/** A message that has no channel, or is not base64. */
export class ChannelError extends Error {
	override readonly name = 'ChannelError';
}

/** undefined: an empty message, which says nothing. Text is a string. @throws ChannelError */
export function decodeMessage(message: Buffer | string, codec: ChannelCodec): ChannelMessage | undefined {
	if (message.length === 0) return undefined;
	if (codec === 'binary') {
		const bytes = typeof message === 'string' ? Buffer.from(message) : message;
		return { channel: bytes[0] ?? 0, data: bytes.subarray(1) };
	}
	const text = message.toString('latin1');
	const channel = text.charCodeAt(0) - 0x30;
	if (channel < 0 || channel > 9)
		throw new ChannelError('a message does not begin with the digit of its channel');
	const encoded = text.slice(1);
	if (encoded.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded))
		throw new ChannelError('a message is not base64');
	return { channel, data: Buffer.from(encoded, 'base64') };
}

/** `memory`: where a binary message is made when it fits; it is then part of it. */
export function encodeMessage(
	channel: number,
	data: Uint8Array,
	codec: ChannelCodec,
	memory: Buffer = Buffer.alloc(0),
): Buffer | string {
	if (codec === 'base64')
		return `${channel}${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')}`;
	const bytes = data.length + 1;
	const message = bytes <= memory.length ? memory.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes);
	message[0] = channel;
	message.set(data, 1);
	return message;
}
