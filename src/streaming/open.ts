import type { Log } from '#base/log.ts';
import type { Config } from '../config/types.ts';
import type { Daemon } from '../server/types.ts';
import { connectToSandbox } from './port-forward/connect.ts';
import { serveClient } from './serve.ts';
import { StreamingServer } from './server.ts';

/** Starts the streaming server of a daemon, which need not be complete before the first URL is asked for. */
export function openStreaming(config: Config, log: Log, daemon: () => Daemon): Promise<StreamingServer> {
	return StreamingServer.start(config.streaming, log, (wanted, upgrade) =>
		serveClient(daemon(), wanted, upgrade, connectToSandbox),
	);
}
