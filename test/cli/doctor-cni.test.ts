/** What a pod on a CNI network leaves when its record is lost: attachment, addresses on disk, namespace file. */
import assert from 'node:assert/strict';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setCliStage, waiting } from './stage.ts';

const folder = mkdtempSync(join(tmpdir(), 'gantry-doctor-cni-'));
const calls = join(folder, 'calls');
const NETWORK = { cniVersion: '1.0.0', name: 'testnet', plugins: [{ type: 'noting' }] };
const RESULT = {
	cniVersion: '1.0.0',
	interfaces: [{ name: 'eth0', sandbox: 'pod' }],
	ips: [{ address: '10.9.8.7/24', interface: 0 }],
};

/** A plugin that notes what it is asked. */
function prepare(): string {
	for (const name of ['net.d', 'bin']) mkdirSync(join(folder, name));
	writeFileSync(join(folder, 'net.d/10-test.conflist'), JSON.stringify(NETWORK));
	const script = `#!/bin/sh\ncat >/dev/null\necho "$CNI_COMMAND $CNI_CONTAINERID" >>${calls}\n[ "$CNI_COMMAND" != ADD ] || echo '${JSON.stringify(RESULT)}'\n`;
	writeFileSync(join(folder, 'bin/noting'), script, { mode: 0o755 });
	return `[network]\nprovider = "cni"\ncni_conf_dir = "${folder}/net.d"\ncni_bin_dirs = ["${folder}/bin"]\n`;
}

test('an attachment without a sandbox is found with its pod, and freed by DEL', async () => {
	try {
		await using stage = await setCliStage({ config: prepare() });
		const { daemon, gantry, image, manifest } = stage;
		const ran = await gantry('run', manifest('web', { containers: [waiting('main', image)] }));
		assert.equal(ran.code, 0, ran.stderr);
		const { id } = (await daemon.cri.ListPodSandbox()).items[0] ?? assert.fail('no pod');
		const { containers } = await daemon.cri.ListContainers();
		await daemon.stop('SIGKILL');
		const state = join(daemon.folder, 'state');
		rmSync(join(state, 'sandboxes', id), { recursive: true });
		for (const container of containers) rmSync(join(state, 'containers', container.id), { recursive: true });

		const said = await gantry('--json', 'doctor');
		const { findings } = JSON.parse(said.stdout);
		const of = (kind: string) =>
			findings.find((each: { kind: string }) => each.kind === kind) ??
			assert.fail(`no ${kind}: ${said.stdout}`);
		assert.equal(of('CNI attachment').owner, id);
		assert.equal(of('CNI attachment').ownerName, 'pod default/web');
		assert.match(of('CNI attachment').since, /^\d{4}-/);
		assert.match(of('CNI attachment').why, /no DEL of network testnet has succeeded/);
		assert.equal(of('network namespace').name, join(state, 'netns', id));
		assert.equal(of('network namespace').ownerName, 'pod default/web');
		assert.equal(readFileSync(calls, 'utf8').includes('DEL'), false, 'a look calls no plugin');

		assert.equal((await gantry('doctor', '--fix')).code, 0);
		assert.match(readFileSync(calls, 'utf8'), new RegExp(`^DEL ${id}$`, 'm'));
		assert.deepEqual(readdirSync(join(daemon.folder, 'root/cni/attachments')), []);
		assert.ok(!existsSync(join(state, 'netns', id)));
		assert.equal((await gantry('doctor')).code, 0);
	} finally {
		rmSync(folder, { recursive: true });
	}
});
