/** One client from its upgrade to its end: the protocol is agreed on, the streams are moved, the end is told. */
import { messageOf, StatusError } from '#base/errors.ts';
import type { Log, LogFields } from '#base/log.ts';
import type { Daemon } from '../server/types.ts';
import type { ClientConnection } from './client.ts';
import { chooseProtocol, offerOf, switchToSpdy } from './http.ts';
import { endWhenIdle } from './idle.ts';
import { clientLeft } from './outlet.ts';
import type { Connect } from './port-forward/forward.ts';
import {
	checkPortCount,
	forwardOverChannels,
	forwardOverSpdy,
	isTunnel,
	SPDY_FORWARD_PROTOCOLS,
	WEBSOCKET_FORWARD_PROTOCOLS,
} from './port-forward/serve.ts';
import { ForwardSession } from './port-forward/session.ts';
import { serveAttach } from './remote-command/attach.ts';
import type { CommandClient } from './remote-command/client.ts';
import { serveExec } from './remote-command/exec.ts';
import { openSpdyCommand, SPDY_COMMAND_PROTOCOLS } from './remote-command/spdy.ts';
import { failureStatus, finish } from './remote-command/status.ts';
import { openWebSocketCommand, WEBSOCKET_COMMAND_PROTOCOLS } from './remote-command/websocket.ts';
import type {
	AttachStreamRequest,
	ExecStreamRequest,
	PortForwardRequest,
	StreamRequest,
} from './requests.ts';
import type { Upgrade } from './server.ts';
import { type AcceptedWebSocket, acceptWebSocket } from './websocket/accept.ts';

/** Connects to a port within a sandbox. */
export type ConnectTo = (daemon: Daemon, sandboxId: string) => Connect;

/** What is told of a stream when it has ended. */
interface Told {
	connection?: ClientConnection;
}

export async function serveClient(
	daemon: Daemon,
	wanted: StreamRequest,
	upgrade: Upgrade,
	connectTo: ConnectTo,
): Promise<void> {
	const log = daemon.log.child({ stream: wanted.kind, ...objectOf(wanted) });
	const told: Told = {};
	const watched = <T extends ClientConnection>(connection: T): T => {
		told.connection = connection;
		endWhenIdle(connection, daemon.config.streaming.idleTimeoutSeconds * 1000);
		return connection;
	};
	const startedMs = performance.now();
	using _counted = daemon.metrics.streamOpened(wanted.kind);
	let outcome: string;
	try {
		outcome =
			wanted.kind === 'portforward'
				? await servePortForward(wanted, upgrade, connectTo(daemon, wanted.sandboxId), watched, log)
				: await serveCommand(daemon, wanted, upgrade, watched, log);
	} catch (error) {
		if (told.connection === undefined) throw error;
		outcome = hasLeft(error) ? `the client left: ${await told.connection.closed}` : reasonOf(error);
	}
	log.info(`${wanted.kind} ended`, { ...endOf(told, startedMs), outcome });
}

async function serveCommand(
	daemon: Daemon,
	wanted: ExecStreamRequest | AttachStreamRequest,
	upgrade: Upgrade,
	watched: <T extends ClientConnection>(connection: T) => T,
	log: Log,
): Promise<string> {
	const accept = agreeOnCommand(wanted, upgrade);
	let client: CommandClient | undefined;
	const open = async () => {
		client = await accept();
		watched(client.connection);
		return client;
	};
	try {
		return wanted.kind === 'exec'
			? await serveExec(daemon, wanted, await open(), log)
			: await serveAttach(daemon, wanted, open, log);
	} catch (error) {
		if (client !== undefined && !hasLeft(error))
			await finish(client, failureStatus(`${FAILED[wanted.kind]}: ${reasonOf(error)}`));
		throw error;
	}
}

/** As other runtimes say it: people look for these words. */
const FAILED = {
	exec: 'error executing command in container',
	attach: 'error attaching to container',
} as const;

/** Agrees on the protocol. What it returns accepts the client and waits for its streams. */
function agreeOnCommand(
	wanted: ExecStreamRequest | AttachStreamRequest,
	upgrade: Upgrade,
): () => Promise<CommandClient> {
	const offer = offerOf(upgrade.request);
	const isSpdy = offer.transport === 'spdy';
	const protocol = chooseProtocol(offer, isSpdy ? SPDY_COMMAND_PROTOCOLS : WEBSOCKET_COMMAND_PROTOCOLS);
	upgrade.accept();
	return async () => {
		if (!isSpdy) return await openWebSocketCommand(await webSocketOf(upgrade, protocol), wanted);
		switchToSpdy(upgrade.socket, upgrade.head, protocol);
		return await openSpdyCommand(upgrade.socket, protocol, wanted);
	};
}

async function servePortForward(
	{ ports }: PortForwardRequest,
	upgrade: Upgrade,
	connect: Connect,
	watched: <T extends ClientConnection>(connection: T) => T,
	log: Log,
): Promise<string> {
	const offer = offerOf(upgrade.request);
	const isSpdy = offer.transport === 'spdy';
	const protocol = chooseProtocol(offer, isSpdy ? SPDY_FORWARD_PROTOCOLS : WEBSOCKET_FORWARD_PROTOCOLS);
	checkPortCount(protocol, ports);
	upgrade.accept();
	const session = new ForwardSession(connect, log);
	return await session.ended(watched(await openForward(upgrade, protocol, isSpdy, ports, session)));
}

async function openForward(
	upgrade: Upgrade,
	protocol: string,
	isSpdy: boolean,
	ports: readonly number[],
	session: ForwardSession,
): Promise<ClientConnection> {
	if (isSpdy) {
		switchToSpdy(upgrade.socket, upgrade.head, protocol);
		return forwardOverSpdy(upgrade.socket, protocol, session);
	}
	const socket = await webSocketOf(upgrade, protocol);
	return isTunnel(protocol)
		? forwardOverSpdy(socket.bytes(), protocol, session)
		: await forwardOverChannels(socket, ports, session);
}

async function webSocketOf({ request, socket, head }: Upgrade, protocol: string): Promise<AcceptedWebSocket> {
	const accepted = await acceptWebSocket(request, socket, head, protocol);
	if (accepted === undefined) throw clientLeft();
	return accepted;
}

/** The message of a StatusError is complete. */
const reasonOf = (error: unknown): string =>
	error instanceof StatusError ? error.message : messageOf(error);

const hasLeft = (error: unknown): boolean => error instanceof StatusError && error.condition === 'CANCELLED';

const objectOf = (wanted: StreamRequest): LogFields =>
	wanted.kind === 'portforward' ? { sandbox: wanted.sandboxId } : { container: wanted.containerId };

function endOf({ connection }: Told, startedMs: number): LogFields {
	return {
		protocol: connection?.protocol,
		movedBytes: connection?.movedBytes,
		durationMs: Math.round(performance.now() - startedMs),
	};
}
