import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { errnoOf, failedPrecondition, messageOf } from '#base/errors.ts';

const LOOPBACK = ['127.0.0.1', '::1'];

export interface Listeners extends AsyncDisposable {
	readonly port: number;
	readonly addresses: readonly string[];
}

/**
 * Listens for connections, each of which may be ended at one side alone. Without an address, at both of loopback, as
 * far as there are both. FAILED_PRECONDITION when the port is taken.
 */
export async function listen(
	port: number,
	address: string | undefined,
	onConnection: (socket: Socket) => void,
): Promise<Listeners> {
	const open = new Set<Socket>();
	const take = (socket: Socket) => {
		open.add(socket);
		socket.once('close', () => open.delete(socket));
		onConnection(socket);
	};
	const [first = '', ...others] = address === undefined ? LOOPBACK : [address];
	const server = await listenAt(first, port, take);
	const bound = (server.address() as { readonly port: number }).port;
	const servers = [server];
	for (const other of others) {
		const more = await listenAt(other, bound, take).catch(ifMissing);
		if (more !== undefined) servers.push(more);
	}
	return {
		port: bound,
		addresses: servers.map((each) => (each.address() as { readonly address: string }).address),
		async [Symbol.asyncDispose]() {
			for (const each of servers) each.close();
			for (const socket of open) socket.destroy();
			await Promise.all(servers.map((each) => (each.listening ? once(each, 'close') : undefined)));
		},
	};
}

async function listenAt(address: string, port: number, take: (socket: Socket) => void): Promise<Server> {
	const server = createServer({ allowHalfOpen: true, noDelay: true }, take);
	server.listen({ host: address, port });
	try {
		await once(server, 'listening');
		return server;
	} catch (error) {
		const advice =
			errnoOf(error) === 'EADDRINUSE'
				? '; choose another local port: [LOCAL:]REMOTE, or :REMOTE for any'
				: '';
		throw failedPrecondition(`Cannot listen at ${address} port ${port}: ${messageOf(error)}${advice}`, {
			cause: error,
		});
	}
}

/** A machine without IPv6, or somebody who has the port there and not at 127.0.0.1: one of two is enough. */
function ifMissing(_error: unknown): undefined {
	return undefined;
}
