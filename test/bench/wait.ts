/** Waiting for sockets and for conditions, always with an end. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectLean, type UnaryCri } from './lean-client.ts';

const POLL_MS = 2;

/** Settles when `isTrue` is; throws after `timeoutMs`. A `what` that is known only then is a function. */
export async function until(
	what: string | (() => string),
	isTrue: () => Promise<boolean>,
	timeoutMs: number,
	pollMs = POLL_MS,
) {
	const end = performance.now() + timeoutMs;
	while (!(await isTrue())) {
		if (performance.now() > end)
			throw new Error(`${typeof what === 'string' ? what : what()}: not within ${timeoutMs} ms`);
		await sleep(pollMs);
	}
}

/** Settles when the CRI at this address answers `ask` (default Version), each try on a connection of its own. */
export async function answers(
	address: string,
	lives: () => boolean,
	timeoutMs: number,
	ask: (cri: UnaryCri) => Promise<boolean> = async (cri) => (await cri.Version()).runtime_name !== '',
): Promise<void> {
	const attempt = async (): Promise<boolean> => {
		if (!lives()) throw new Error(`the process behind ${address} has ended`);
		if (!(await listens(address))) return false;
		const cri = connectLean(address);
		return ask(cri)
			.catch(() => false)
			.finally(() => cri.close());
	};
	await until(`an answer of ${address}`, attempt, timeoutMs);
}

async function listens(address: string): Promise<boolean> {
	const socket = connect(address.replace('unix://', ''));
	try {
		await once(socket, 'connect');
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}
