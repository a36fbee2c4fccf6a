/** The daemon's heap through Node's inspector, which SIGUSR1 opens on loopback: of a private machine only. */
import { setTimeout as sleep } from 'node:timers/promises';

const TARGETS = 'http://127.0.0.1:9229/json/list';

interface Answer {
	readonly id: number;
	readonly result?: { readonly usedSize?: number };
	readonly error?: { readonly message: string };
}

/** Bytes in use after a full collection. */
export async function heapAfterCollection(pid: number): Promise<number> {
	const socket = new WebSocket(await inspectorOf(pid));
	await once(socket, 'open');
	try {
		// What only finalizers hold needs a second round.
		for (let round = 0; round < 2; round++) await ask(socket, 'HeapProfiler.collectGarbage');
		const { usedSize } = (await ask(socket, 'Runtime.getHeapUsage')) ?? {};
		return usedSize ?? Number.NaN;
	} finally {
		const closed = once(socket, 'close');
		socket.close();
		await closed;
	}
}

async function inspectorOf(pid: number): Promise<string> {
	process.kill(pid, 'SIGUSR1');
	for (let attempt = 0; attempt < 100; attempt++) {
		const targets = await fetch(TARGETS).then(
			async (answer) => (await answer.json()) as { webSocketDebuggerUrl: string }[],
			() => [],
		);
		const [target] = targets;
		if (target !== undefined) return target.webSocketDebuggerUrl;
		await sleep(50);
	}
	throw new Error(`the inspector of process ${pid} does not answer at ${TARGETS}`);
}

async function ask(socket: WebSocket, method: string): Promise<Answer['result']> {
	const reply = once(socket, 'message');
	socket.send(JSON.stringify({ id: 1, method }));
	const { result, error } = JSON.parse(String((await reply).data)) as Answer;
	if (error !== undefined) throw new Error(`${method}: ${error.message}`);
	return result;
}

function once(socket: WebSocket, type: 'open' | 'close' | 'message'): Promise<MessageEvent> {
	return new Promise((resolve, reject) => {
		socket.addEventListener(type, (event) => resolve(event as MessageEvent), { once: true });
		socket.addEventListener('error', () => reject(new Error('the inspector broke off')), { once: true });
	});
}
