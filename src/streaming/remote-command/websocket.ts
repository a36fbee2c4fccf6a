import type { WantedStreams } from '../requests.ts';
import type { AcceptedWebSocket } from '../websocket/accept.ts';
import { ChannelConnection } from '../websocket/connection.ts';
import type { CommandClient } from './client.ts';

/** Protocols of exec and attach within a WebSocket; '' is channel.k8s.io. v5 is v4 with half-close. */
export const WEBSOCKET_COMMAND_PROTOCOLS = [
	'v5.channel.k8s.io',
	'v4.channel.k8s.io',
	'v4.base64.channel.k8s.io',
	'channel.k8s.io',
	'base64.channel.k8s.io',
	'',
];

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** Every channel is there at once. */
export async function openWebSocketCommand(
	socket: AcceptedWebSocket,
	wanted: WantedStreams,
): Promise<CommandClient> {
	const { protocol } = socket;
	const version = Number(/^v(\d)/.exec(protocol)?.[1] ?? 1);
	const connection = new ChannelConnection(socket, {
		codec: protocol.includes('base64') ? 'base64' : 'binary',
		inputs: [...(wanted.stdin ? [CHANNEL.stdin] : []), ...(wanted.tty ? [CHANNEL.resize] : [])],
		halfClose: version >= 5,
	});
	const channel = (name: keyof typeof CHANNEL, isWanted: boolean) =>
		isWanted ? connection.channel(CHANNEL[name]) : undefined;
	const client: CommandClient = {
		connection,
		stdin: channel('stdin', wanted.stdin),
		stdout: channel('stdout', wanted.stdout),
		stderr: channel('stderr', wanted.stderr),
		resize: channel('resize', wanted.tty),
		error: connection.channel(CHANNEL.error),
		hasStructuredStatus: version >= 4,
	};
	// Clients wait for an empty message that says that the connection is there.
	await (client.stdout ?? client.stderr ?? client.error).write(new Uint8Array());
	return client;
}
