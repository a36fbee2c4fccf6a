import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '#base/log.ts';
import { WithheldCapabilities } from './withheld.ts';

test('a capability that is withheld is said once, with the container that asked first', () => {
	const lines: { msg: string; container: string }[] = [];
	const withheld = new WithheldCapabilities(createLog('warn', (line) => lines.push(JSON.parse(line))));
	withheld.say('one', ['CAP_SYS_RESOURCE']);
	withheld.say('two', ['CAP_SYS_RESOURCE', 'CAP_BPF']);
	withheld.say('three', []);
	assert.deepEqual(
		lines.map(({ msg, container }) => [msg.split(' ')[0], container]),
		[
			['CAP_SYS_RESOURCE', 'one'],
			['CAP_BPF', 'two'],
		],
	);
});
