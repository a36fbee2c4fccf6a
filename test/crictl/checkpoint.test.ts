/** `crictl checkpoint`, and a container made from what it has written. GANTRY_TEST_CRIU names another CRIU. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crictlFor, hasCrictl } from './crictl.ts';
import { setStage } from './stage.ts';

test('crictl saves a container, which goes on, and makes another one from the archive', {
	skip: hasCrictl ? false : 'crictl is not on PATH: crictl checkpoint did NOT run',
}, async (t) => {
	const criu = process.env.GANTRY_TEST_CRIU ?? '';
	await using stage = await setStage(criu === '' ? '' : `runtime.criu_path = "${criu}"\n`);
	const { daemon, image } = stage;
	const { info } = await daemon.cri.Status({ verbose: true });
	const { problem } = JSON.parse(info.checkpoint ?? '{}');
	if (problem !== '') return t.skip(`crictl checkpoint was NOT tested: ${problem}`);
	const crictl = crictlFor(daemon.address);
	const file = (name: string, content: object) => {
		const path = join(daemon.folder, name);
		writeFileSync(path, JSON.stringify(content));
		return path;
	};
	const OWN_PROCESSES = { security_context: { namespace_options: { pid: 1 } } };
	const config = (name: string, from: string) =>
		file(`${name}.json`, {
			...stage.container(name),
			image: { image: from },
			log_path: `${name}.log`,
			linux: OWN_PROCESSES,
		});
	const stateOf = (id: string) => crictl.json('inspect', id).status.state;

	crictl('pull', image);
	const podFile = file('pod.json', stage.pod);
	const pod = crictl('runp', podFile).trim();
	const id = crictl('create', pod, config('main', image), podFile).trim();
	crictl('start', id);
	const archive = join(daemon.folder, 'saved.tar');
	assert.equal(crictl('checkpoint', '--export', archive, id).trim(), id);
	assert.equal(stateOf(id), 'CONTAINER_RUNNING');
	assert.equal(statSync(archive).mode & 0o777, 0o600);
	assert.match(execFileSync('tar', ['-tf', archive]).toString(), /^\.\/checkpoint\/pstree\.img$/m);

	const again = crictl('create', pod, config('again', archive), podFile).trim();
	assert.equal(stateOf(again), 'CONTAINER_CREATED');
	crictl('start', again);
	assert.equal(stateOf(again), 'CONTAINER_RUNNING');
	assert.equal(crictl('exec', again, 'sh', '-c', 'echo $((6*7))'), '42\n');

	const missing = crictl.result('checkpoint', '--export', join(daemon.folder, 'no/such.tar'), id);
	assert.notEqual(missing.code, 0);
	assert.match(missing.stderr, /location: cannot write to .*no: ENOENT/);
	crictl('rmp', '-f', pod);
});
