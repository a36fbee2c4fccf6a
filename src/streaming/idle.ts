import type { ClientConnection } from './client.ts';

const LOOKS = 4;

/** Ends a connection on which no byte of a stream has moved for this long; pings do not count. 0: never. */
export function endWhenIdle(connection: ClientConnection, timeoutMs: number): void {
	if (timeoutMs === 0) return;
	let seenBytes = -1;
	let idleLooks = 0;
	const timer = setInterval(() => {
		idleLooks = connection.movedBytes === seenBytes ? idleLooks + 1 : 0;
		seenBytes = connection.movedBytes;
		if (idleLooks >= LOOKS)
			connection.destroy(`nothing moved for ${timeoutMs / 1000} s (streaming.idle_timeout_seconds)`);
	}, timeoutMs / LOOKS);
	timer.unref();
	void connection.closed.then(() => clearInterval(timer));
}
