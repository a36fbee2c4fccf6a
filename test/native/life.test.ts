import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Fixture, plan } from './support.ts';

let shim: Fixture;
before(async () => {
	shim = await Fixture.open();
});
after(() => shim.close());

const entries = (id: string) => shim.log(id).trimEnd().split('\n').map((line) => line.replace(/^\S+ /, ''));

test('create, start, output, exit and delete', async () => {
	const created = await shim.create('one', plan({ rootfs: shim.rootfs, id: 'one', argv: ['sh', '-c', 'echo out; echo err >&2; printf tail; exit 7'] }));
	assert.ok(created.pid > 0);
	assert.ok(created.timings.length > 5);
	await shim.start('one');
	const exit = await shim.control.exited('one');
	assert.equal(exit.exit_code, 7);
	assert.equal(exit.signal, 0);
	assert.deepEqual(entries('one').toSorted(), ['stderr F err', 'stdout F out', 'stdout F tail']);
	assert.match(readFileSync(join(shim.containerFolder('one'), 'exit'), 'utf8'), /^pid=\d+\nexit_code=7\nsignal=0\nexited_at_ns=\d+\n$/);
	await shim.delete('one');
	assert.ok(!existsSync(`/proc/${created.pid}`));
});
