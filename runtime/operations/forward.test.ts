import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeFrame, FrameDecoder } from '../shim/codec.ts';
import { CONSTANTS } from '../shim/schema.ts';
import type { ShimContext } from './context.ts';
import { forwardToPort } from './forward.ts';

const EOPNOTSUPP = 95;

test('a shim that is older than FORWARD is told of as such', async () => {
	const folder = await mkdtemp(join(tmpdir(), 'gantry-forward-'));
	const old = createServer((socket) => {
		const decoder = new FrameDecoder();
		socket.on('error', () => {});
		socket.on('data', (chunk: Buffer) => {
			for (const { type, requestId } of decoder.push(chunk)) {
				const answer =
					type === 'HELLO'
						? encodeFrame('WELCOME', requestId, { version: 1, pid: 7, start_time: 8n, sandbox_id: 's' })
						: encodeFrame('ERROR', requestId, {
								errno: EOPNOTSUPP,
								step: CONSTANTS.NO_STEP,
								op: 0,
								detail: 'a shim does not know message 47',
							});
				socket.write(answer);
			}
		});
	});
	const socketPath = join(folder, 's');
	await new Promise<void>((resolve) => old.listen(socketPath, resolve));
	try {
		await assert.rejects(forwardToPort({ sandboxId: 's', socketPath } as ShimContext, 80), {
			condition: 'FAILED_PRECONDITION',
			message:
				'Cannot forward port 80 of sandbox s: its shim was started by an older gantryd and does not know how; make the pod anew',
		});
	} finally {
		old.close();
		await rm(folder, { recursive: true });
	}
});
