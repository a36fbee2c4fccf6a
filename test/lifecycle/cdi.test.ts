/** CDI devices: what a container gets of them, from which spec, and why it does not. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ContainerConfigInit } from '#cri-api';
import { failureOf, TestBed } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'gantry-cdi-'));
const [etc, run] = [join(folder, 'etc'), join(folder, 'run')];

let bed: TestBed;
let pod: string;

before(async () => {
	for (const path of [etc, run]) mkdirSync(path);
	bed = await TestBed.start([`runtime.cdi_spec_dirs=${etc},${join(folder, 'missing')},${run}`]);
	pod = await bed.runPod();
});
after(async () => {
	await bed[Symbol.asyncDispose]();
	rmSync(folder, { recursive: true });
});

const asked = (...names: readonly string[]): ContainerConfigInit => ({
	CDI_devices: names.map((name) => ({ name })),
});
const spec = (kind: string, devices: object, more: object = {}): string =>
	JSON.stringify({
		cdiVersion: '1.0.0',
		kind,
		devices: Object.entries(devices).map(([name, containerEdits]) => ({ name, containerEdits })),
		...more,
	});

async function output(script: string, config: ContainerConfigInit): Promise<string> {
	const { code, text } = await bed.runScript(pod, script, config);
	assert.equal(code, 0, text);
	return text;
}

const refusal = async (config: ContainerConfigInit) => {
	const untouched = bed.leftObjects();
	const failure = await failureOf(bed.create(pod, config));
	assert.deepEqual(bed.leftObjects(), untouched);
	return failure;
};

test('a device brings its node, mounts, variables, groups and hooks; its spec what all its devices share', async () => {
	const [library, hook, told] = ['library.so', 'hook', 'told'].map((name) => join(folder, name)) as [
		string,
		string,
		string,
	];
	writeFileSync(library, 'the library\n');
	writeFileSync(hook, `#!/bin/sh\necho "$1 $KIND $(id -u)" >> ${told}\ncat > /dev/null\n`);
	chmodSync(hook, 0o755);
	writeFileSync(
		join(etc, 'vendor.yaml'),
		`cdiVersion: "0.7.0"
kind: vendor.com/gpu
containerEdits:
  env: [DRIVER=12, FROM_IMAGE=of-the-device]
  mounts:
    - {hostPath: ${library}, containerPath: /usr/lib/library.so, options: [ro, nosuid, bind]}
  hooks:
    - {hookName: createRuntime, path: ${hook}, args: [hook, runtime], env: [KIND=gpu], timeout: 20}
    - {hookName: poststop, path: ${hook}, args: [hook, stop], env: [KIND=gpu]}
devices:
  - name: 0
    containerEdits:
      additionalGids: [4242, 0]
      deviceNodes:
        - {path: /dev/gpu0, hostPath: /dev/null, fileMode: 0640, permissions: r}
        - {path: /dev/control, hostPath: /dev/kmsg, permissions: none}
  - name: "1"
    containerEdits:
      env: [SECOND=yes]
`,
	);
	const script = [
		'cat /usr/lib/library.so',
		'touch /usr/lib/library.so 2>/dev/null || echo read-only',
		'stat -c %a:%u:%t:%T /dev/gpu0',
		'cat /dev/control 2>/dev/null || echo not read',
		'echo $DRIVER $FROM_IMAGE $SECOND; id -G',
	].join(';');
	const id = await bed.create(pod, {
		...asked('vendor.com/gpu=0'),
		annotations: { 'cdi.k8s.io/plugin_x': 'vendor.com/gpu=1,vendor.com/gpu=0' },
		command: ['sh', '-c', script],
		log_path: 'gpu.log',
		linux: { security_context: { run_as_user: { value: 1000 }, namespace_options: { pid: 'CONTAINER' } } },
	});
	const { status } = await bed.cri.ContainerStatus({ container_id: id });
	assert.deepEqual(status?.user?.linux?.supplemental_groups.slice(-1), ['4242']);
	await bed.cri.StartContainer({ container_id: id });
	await bed.daemon.containers.exited(id);
	const log = readFileSync(status?.log_path ?? '', 'utf8').trim();
	assert.deepEqual(
		log.split('\n').map((line) => line.split(' ').slice(3).join(' ')),
		['the library', 'read-only', '640:1000:1:3', 'not read', '12 of-the-device yes', '1001 2000 2001 4242'],
	);
	await bed.cri.RemoveContainer({ container_id: id });
	assert.equal(readFileSync(told, 'utf8'), 'runtime gpu 0\nstop gpu 0\n');
});

test('in a user namespace a device is there too, and what it mounts belongs to the root of the pod', async () => {
	const file = join(folder, 'mapped');
	writeFileSync(file, 'mapped\n');
	const mounts = [{ hostPath: file, containerPath: '/mapped' }];
	const deviceNodes = [{ path: '/dev/mine', hostPath: '/dev/zero' }];
	writeFileSync(join(etc, 'mapped.json'), spec('vendor.com/mapped', { one: { mounts, deviceNodes } }));
	const map = [{ host_id: 300_000, container_id: 0, length: 65_536 }];
	const userns_options = { mode: 'POD', uids: map, gids: map } as const;
	const linux = { security_context: { namespace_options: { userns_options } } } as const;
	const userPod = await bed.runPod({ linux });
	const id = await bed.run(userPod, { ...asked('vendor.com/mapped=one'), linux });
	assert.equal(await bed.sh(id, 'stat -c %u /mapped; head -c1 /dev/mine | wc -c'), '0\n1');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: userPod });
});

test('specs are looked at again when they change, appear and go; a later folder wins', async () => {
	const value = async () => await output('echo $VALUE', asked('vendor.com/live=one'));
	const of = (text: string) => spec('vendor.com/live', { one: { env: [`VALUE=${text}`] } });
	const missing = await refusal(asked('vendor.com/live=one'));
	assert.equal(missing.condition, 'NOT_FOUND');
	writeFileSync(join(etc, 'live.json'), of('first'));
	assert.equal(await value(), 'first');
	writeFileSync(join(etc, 'new.json.tmp'), of('second'));
	renameSync(join(etc, 'new.json.tmp'), join(etc, 'live.json'));
	assert.equal(await value(), 'second');
	writeFileSync(join(run, 'live.yaml'), of('of the later folder'));
	assert.equal(await value(), 'of the later folder');
	rmSync(join(run, 'live.yaml'));
	assert.equal(await value(), 'second');
});

test('a device that two specs of one folder know cannot be had, others of them can', async () => {
	writeFileSync(
		join(etc, 'a.json'),
		spec('vendor.com/both', { one: { env: ['A=a'] }, two: { env: ['B=b'] } }),
	);
	writeFileSync(join(etc, 'b.json'), spec('vendor.com/both', { one: { env: ['A=b'] } }));
	const failure = await refusal(asked('vendor.com/both=one'));
	assert.equal(failure.condition, 'FAILED_PRECONDITION');
	assert.match(failure.message, /vendor\.com\/both=one.*a\.json and .*b\.json both know it/);
	assert.equal(await output('echo $B', asked('vendor.com/both=two')), 'b');
});

test('a device that no spec knows: the folders, what there is, and specs that cannot be read', async () => {
	writeFileSync(join(etc, 'near.json'), spec('vendor.com/near', { zero: { env: ['A=b'] } }));
	writeFileSync(join(etc, 'broken.json'), '{"cdiVersion": "9.9.9"');
	const other = await refusal(asked('vendor.com/near=one'));
	assert.equal(other.condition, 'NOT_FOUND');
	assert.ok(other.message.includes(`in ${etc}, ${join(folder, 'missing')}, ${run}`), other.message);
	assert.match(other.message, /of vendor\.com\/near there are vendor\.com\/near=zero/);
	assert.match(other.message, /broken\.json is left out: it is no JSON/);
	const typed = await refusal(asked('vendor.com/naer=zero'));
	assert.match(typed.message, /did you mean "vendor\.com\/near=zero"/);
	rmSync(join(etc, 'broken.json'));
});

test('what no CDI device is, and what is not supported, is refused by name', async () => {
	const form = await refusal(asked('gpu0'));
	assert.equal(form.condition, 'INVALID_ARGUMENT');
	assert.match(form.message, /CDI_devices\[0\]\.name: "gpu0"/);
	const annotated = await refusal({ annotations: { 'cdi.k8s.io/x': 'gpu0' } });
	assert.match(annotated.message, /annotations\["cdi\.k8s\.io\/x"\]: "gpu0"/);
	const cases: readonly (readonly [edits: object, condition: string, message: RegExp])[] = [
		[{ intelRdt: { closID: 'gold' } }, 'UNIMPLEMENTED', /vendor\.com\/odd=one asks for intelRdt/],
		[{ netDevices: [{ hostInterfaceName: 'a', name: 'b' }] }, 'UNIMPLEMENTED', /asks for netDevices/],
		[{ deviceNodes: [{ path: '/dev/f', type: 'p' }] }, 'UNIMPLEMENTED', /FIFO/],
		[{ deviceNodes: [{ path: '/dev/no-such-gpu' }] }, 'FAILED_PRECONDITION', /no-such-gpu is no device/],
		[
			{ mounts: [{ hostPath: '/no/such/library', containerPath: '/x' }] },
			'FAILED_PRECONDITION',
			/cannot mount \/no\/such\/library/,
		],
	];
	for (const [edits, condition, message] of cases) {
		writeFileSync(join(etc, 'odd.json'), spec('vendor.com/odd', { one: edits }, { cdiVersion: '1.1.0' }));
		const failure = await refusal(asked('vendor.com/odd=one'));
		assert.match(failure.message, message);
		assert.equal(failure.condition, condition);
	}
});
