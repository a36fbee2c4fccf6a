import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { Ending } from './ending.ts';

const LINGER_MS = 10_000;

/** A client that takes a chunk whenever it is told to, and never closes its side. */
function slowClient(t: TestContext, chunks: number) {
	t.mock.timers.enable({ apis: ['setInterval'] });
	const taken: (() => void)[] = [];
	let takenChunks = 0;
	const duplex = new Duplex({
		read() {},
		write: (_chunk, _encoding, done) => {
			takenChunks += 1;
			taken.push(done);
		},
	});
	for (let count = 0; count < chunks; count++) duplex.write(Buffer.alloc(1000));
	const ending = new Ending(duplex);
	ending.close();
	return { duplex, ending, take: () => taken.shift()?.(), taken: () => takenChunks };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('Ending', () => {
	it('ends a client that does not read what is left', async (t) => {
		const { duplex, ending } = slowClient(t, 3);
		t.mock.timers.tick(LINGER_MS);
		assert.equal(duplex.destroyed, true);
		assert.equal(await ending.closed, 'we closed the connection');
	});

	it('leaves one that reads slowly until it has everything, and then closes', async (t) => {
		const { duplex, take, taken } = slowClient(t, 5);
		for (let count = 0; count < 5; count++) {
			take();
			await turn();
			t.mock.timers.tick(LINGER_MS);
			assert.equal(duplex.destroyed, false);
		}
		assert.equal(taken(), 5);
		t.mock.timers.tick(LINGER_MS);
		assert.equal(duplex.destroyed, true);
	});
});
