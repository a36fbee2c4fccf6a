import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Span } from '../../src/cli/timeline.ts';
import { until } from '../support/until.ts';
import { type CliStage, setCliStage, waiting } from './stage.ts';

const stage: CliStage = await setCliStage();
after(() => stage[Symbol.asyncDispose]());
const { daemon, image, gantry, manifest } = stage;
const podFolders = () => {
	const folder = join(daemon.folder, 'root/pods');
	return existsSync(folder) ? readdirSync(folder) : [];
};

test('a whole pod: init container, sidecar, volumes, environment, aliases, probes; then everything that looks at it', async () => {
	const shared = join(daemon.folder, 'from-the-node');
	mkdirSync(join(shared, 'inner'), { recursive: true });
	writeFileSync(join(shared, 'inner/file'), 'of the node');
	const path = manifest(
		'whole',
		{
			hostname: 'whole-host',
			terminationGracePeriodSeconds: 5,
			hostAliases: [{ ip: '192.0.2.7', hostnames: ['elsewhere'] }],
			securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 },
			initContainers: [
				{
					name: 'prepare',
					image,
					command: ['sh', '-c', 'echo "$WHAT" > /shared/prepared'],
					env: [{ name: 'WHAT', value: 'made before' }],
					volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
				},
				{ ...waiting('helper', image, 'echo helping'), restartPolicy: 'Always' },
			],
			containers: [
				{
					...waiting('main', image, 'echo "main at $(cat /shared/prepared), $NAME, $ADDRESS"; echo oops >&2'),
					env: [
						{ name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
						{ name: 'ADDRESS', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
					],
					securityContext: { allowPrivilegeEscalation: false },
					readinessProbe: { exec: { command: ['test', '-e', '/shared/prepared'] } },
					resources: { limits: { memory: '32Mi', cpu: '200m' } },
					volumeMounts: [
						{ name: 'shared', mountPath: '/shared' },
						{ name: 'node', mountPath: '/node', subPath: 'inner', readOnly: true },
					],
				},
			],
			volumes: [
				{ name: 'shared', emptyDir: {} },
				{ name: 'node', hostPath: { path: shared, type: 'Directory' } },
			],
		},
		{ namespace: 'tests', labels: { app: 'whole' } },
	);
	const ran = await gantry('--json', 'run', path);
	assert.equal(ran.stderr, '');
	assert.equal(ran.code, 0);
	const result = JSON.parse(ran.stdout);
	assert.deepEqual(
		result.containers.map(({ name, kind }: { name: string; kind: string }) => [name, kind]),
		[
			['prepare', 'init'],
			['helper', 'sidecar'],
			['main', 'main'],
		],
	);
	assert.deepEqual(result.probes, [
		{ container: 'main', probe: 'readinessProbe', ok: true, attempts: 1, message: '' },
	]);

	const exec = async (...command: string[]) =>
		(await gantry('exec', 'tests/whole/main', '--', ...command)).stdout;
	assert.equal(await exec('hostname'), 'whole-host\n');
	assert.equal(await exec('cat', '/node/file'), 'of the node');
	assert.match(await exec('cat', '/etc/hosts'), /^192\.0\.2\.7\telsewhere$/m);
	assert.equal(await exec('id', '-u'), '1000\n');
	assert.ok((await exec('id', '-G')).trim().split(' ').includes('2000'));
	assert.equal(await exec('stat', '-c', '%a %g', '/shared'), '2777 2000\n');
	assert.notEqual((await gantry('exec', 'main', '--', 'touch', '/node/x')).code, 0);

	const logs = await gantry('logs', 'main');
	assert.equal(logs.stdout, `main at made before, whole, ${result.ips[0]}\n`);
	assert.equal(logs.stderr, 'oops\n');
	assert.equal((await gantry('logs', 'tests/whole/prepare')).stdout, '');
	assert.match((await gantry('logs', '--timestamps', 'helper')).stdout, /^\d{4}-\d\d-\d\dT\S+Z helping\n$/);

	const ps = (await gantry('ps', '-a')).stdout.split('\n').map((line) => line.split(/\s{2,}/));
	assert.deepEqual(
		ps.filter((row) => row[0] === 'tests/whole').map((row) => [row[2], row[4]]),
		[
			['prepare', 'exited'],
			['helper', 'running'],
			['main', 'running'],
		],
	);
	assert.match((await gantry('stats', 'tests/whole')).stdout, /^whole +main +\d/m);
	assert.match((await gantry('inspect', '--plan', 'main')).stdout, /become user 1000:1000/);
	assert.match((await gantry('inspect', '--plan', 'tests/whole')).stdout, /# network plan of pod/);
	const timeline = (await gantry('inspect', '--timeline', 'tests/whole')).stdout;
	assert.match(timeline, /^create .+█/m);
	assert.match(timeline, /^ {2}run the createRuntime hooks .+▓/m);
	const timelines = JSON.parse((await gantry('--json', 'inspect', '--timeline', 'tests/whole')).stdout) as {
		readonly name: string;
		readonly stages: readonly Span[];
	}[];
	const stepsOf = (of: string, name: string) =>
		timelines.find((one) => one.name === of)?.stages.find((stage) => stage.name === name)?.steps ?? [];
	const hook = stepsOf('whole', 'create').find((step) => step.name.startsWith('run the createRuntime hooks'));
	assert.ok(hook?.steps.some((step) => step.name === 'pod   eth0 up in the pod' && step.elapsedUs > 0));
	assert.ok(
		stepsOf('main', 'start').some((step) => step.name.startsWith('install the system call filter')),
		'START is timed, too',
	);

	assert.equal(podFolders().length, 1);
	assert.deepEqual(await gantry('rm', 'tests/whole'), { code: 0, stdout: 'tests/whole\n', stderr: '' });
	assert.deepEqual(podFolders(), []);
	assert.equal((await daemon.cri.ListPodSandbox()).items.length, 0);
});

test('an init container that fails ends the run, says why, and leaves nothing', async () => {
	const path = manifest('broken', {
		initContainers: [{ name: 'bad', image, command: ['sh', '-c', 'echo cannot go on >&2; exit 3'] }],
		containers: [waiting('main', image)],
	});
	const { code, stderr } = await gantry('run', path);
	assert.equal(code, 1);
	assert.match(
		stderr,
		/Init container bad ended with exit code 3 \(Error\); it wrote last:\n {2}cannot go on/,
	);
	assert.deepEqual((await daemon.cri.ListPodSandbox()).items, []);
	assert.deepEqual(podFolders(), []);
});

test('a probe that fails is told, and the pod stays', async () => {
	const probe = {
		exec: { command: ['sh', '-c', 'echo not yet; exit 1'] },
		failureThreshold: 2,
		periodSeconds: 1,
	};
	const path = manifest('unready', { containers: [{ ...waiting('main', image), readinessProbe: probe }] });
	const { code, stdout } = await gantry('run', path);
	assert.equal(code, 1);
	assert.match(stdout, /^readinessProbe of main: failed: exit code 1: not yet$/m);
	assert.match(stdout, /^pod unready runs/m);
	const again = await gantry('run', path);
	assert.equal(again.code, 1);
	assert.match(again.stderr, /Pod unready in namespace default is here already/);
	assert.equal((await gantry('rm', '--force', 'unready')).code, 0);
});

test('Ctrl-C in the middle takes the pod back', async () => {
	const path = manifest('stopped', {
		initContainers: [waiting('forever', image)],
		containers: [waiting('main', image)],
	});
	const running = stage.startGantry('run', path);
	for await (const event of daemon.cri.GetContainerEvents())
		if (
			event.container_event_type === 'CONTAINER_STARTED_EVENT' &&
			event.container_id !== event.pod_sandbox_status?.id
		)
			break;
	running.interrupt();
	assert.equal((await running.said).code, 130);
	assert.deepEqual((await daemon.cri.ListPodSandbox()).items, []);
	assert.deepEqual(podFolders(), []);
});

test('a volume from an image: pulled, mounted read-only by its sub-path, and not removed while it is used', async () => {
	const main = {
		...waiting('main', image),
		volumeMounts: [{ name: 'data', mountPath: '/data', subPath: 'set', readOnly: false }],
	};
	const volumes = [{ name: 'data', image: { reference: stage.data } }];
	const ran = await gantry(
		'run',
		manifest('mounted', { containers: [main], volumes, terminationGracePeriodSeconds: 2 }),
	);
	assert.equal(ran.code, 0, ran.stderr);
	const look = 'ls /data; cat /data/file; touch /data/x 2>/dev/null || echo read-only';
	assert.equal(
		(await gantry('exec', 'mounted/main', '--', 'sh', '-c', look)).stdout,
		'file\nof the image\nread-only\n',
	);
	const kept = await gantry('rmi', stage.data);
	assert.equal(kept.code, 1);
	assert.match(kept.stderr, /container main \(\w{13}\) of pod default\/mounted, for a volume, uses it/);
	assert.deepEqual(await gantry('rmi', '--unused'), { code: 0, stdout: '', stderr: '' });
	await gantry('rm', 'mounted');
	assert.equal((await gantry('rmi', stage.data)).code, 0);

	const absent = [{ name: 'data', image: { reference: stage.data, pullPolicy: 'Never' } }];
	const refused = await gantry('run', manifest('absent', { containers: [main], volumes: absent }));
	assert.match(refused.stderr, /of volume data is not here, and its pullPolicy is Never/);
	const nowhere = { ...main, volumeMounts: [{ name: 'data', mountPath: '/data', subPath: 'none' }] };
	const wrong = await gantry('run', manifest('wrong', { containers: [nowhere], volumes }));
	assert.match(wrong.stderr, /ImageVolumeMountFailed: .*has no none/);
	assert.deepEqual((await daemon.cri.ListPodSandbox()).items, []);
});

test('what cannot be honoured is refused before anything is made', async () => {
	const refused = async (spec: object, code: number, message: RegExp) => {
		const said = await gantry('run', manifest('refused', spec));
		assert.match(said.stderr, message);
		assert.equal(said.code, code);
		assert.deepEqual((await daemon.cri.ListPodSandbox()).items, []);
		assert.deepEqual(podFolders(), []);
	};
	const one = (extra: object) => ({ containers: [{ ...waiting('main', image), ...extra }] });
	await refused(
		{ ...one({}), nodeSelector: { a: 'b' } },
		2,
		/spec\.nodeSelector: gantry run does not honour this field/,
	);
	await refused(
		one({ imagePullPolicy: 'Never', image: `${image}-absent` }),
		1,
		/is not here, and its imagePullPolicy is Never/,
	);
	await refused(one({ image: '127.0.0.1:1/none:1' }), 4, /RegistryUnavailable/);
	await refused(one({ image: `${image}-absent` }), 3, /absent/);
	await refused(one({ securityContext: { runAsNonRoot: true } }), 1, /its image runs as root/);
	await refused(one({ resources: { limits: { 'example.com/gpu': '1' } } }), 2, /example\.com\/gpu/);
	await refused(
		{ ...one({}), volumes: [{ name: 'v', hostPath: { path: '/no/such', type: 'Socket' } }] },
		1,
		/must be a Socket, but does not exist/,
	);
	await refused(one({ command: ['/no/such/program'] }), 1, /\/no\/such\/program/);
});

test('the sentence and the code of what goes wrong', async () => {
	const missing = await gantry('logs', 'nobody');
	assert.deepEqual(
		[missing.code, missing.stderr],
		[3, 'gantry: There is no container nobody; "gantry ps -a" lists what there is\n'],
	);
	const about = {
		rm: [],
		stats: [],
		inspect: [],
		attach: [],
		logs: [],
		exec: ['--', 'true'],
		'port-forward': ['80'],
	};
	for (const [command, more] of Object.entries(about)) {
		const said = await gantry(command, 'nobody', ...more);
		assert.equal(said.code, 3, command);
		assert.match(
			said.stderr,
			/^gantry: There is no (pod|container|pod and no container) nobody; "gantry ps -a" lists what there is\n$/,
		);
	}
	assert.equal((await gantry('rmi', 'no/image')).code, 3);
	assert.equal((await gantry('nonsense')).code, 2);
	assert.equal((await gantry('exec', 'x')).code, 2);
	const nobody = await gantry('--address', 'unix:///no/such.sock', 'ps');
	assert.deepEqual(
		[nobody.code, nobody.stderr],
		[
			4,
			'gantry: No daemon answers on unix:///no/such.sock. Start gantryd, or name its socket with --address\n',
		],
	);
	const wrong = await gantry('ps', '--colour');
	assert.deepEqual(
		[wrong.code, wrong.stderr],
		[2, `gantry: unknown option '--colour'\nTry "gantry ps --help".\n`],
	);
	// By a name of its own: connections of earlier commands are used again.
	const again = daemon.address.replace('cri.sock', './cri.sock');
	process.seteuid?.(65534);
	const [forbidden, doctor] = await Promise.all([gantry('--address', again, 'ps'), gantry('doctor')]).finally(
		() => process.seteuid?.(0),
	);
	assert.deepEqual(
		[doctor.code, doctor.stderr],
		[1, 'gantry: gantry doctor looks at the whole machine: run the command as root\n'],
	);
	assert.equal(forbidden.code, 1);
	assert.match(
		forbidden.stderr,
		/^gantry: Cannot connect to unix:\S+: this user may not use the socket\. Run .* as root/,
	);
	const broken = await gantry('--set', 'colour=blue', 'config');
	assert.deepEqual([broken.code, /unknown option "colour"/.test(broken.stderr)], [78, true]);
	const json = await gantry('--json', 'inspect', 'nobody');
	assert.equal(JSON.parse(json.stderr).error.condition, 'NOT_FOUND');
});

test('exec passes the exit code on and ends at its timeout', async () => {
	assert.equal(
		(
			await gantry(
				'run',
				manifest('exec', { containers: [waiting('main', image)], terminationGracePeriodSeconds: 2 }),
			)
		).code,
		0,
	);
	assert.equal((await gantry('exec', 'exec/main', '--', 'sh', '-c', 'exit 42')).code, 42);
	for (const json of [[], ['--json']]) {
		const late = await gantry(...json, '--timeout', '1', 'exec', 'exec/main', '--', 'sleep', '3000');
		assert.equal(late.code, 1);
		assert.match(late.stderr, /sleep 3000 in container exec\/main did not end within 1 s/);
		await until('it is killed', async () => {
			const { stdout } = await gantry('exec', 'exec/main', '--', 'ps');
			return !stdout.includes('sleep 3000');
		});
	}
	assert.equal((await gantry('exec', 'exec/main', '--', 'no-such-program')).code, 127);
	assert.match(
		(await gantry('exec', '-it', 'exec/main', '--', 'sh')).stderr,
		/standard input is none: leave out -t/,
	);
	const { stdout } = await gantry('--json', 'exec', 'exec/main', '--', 'sh', '-c', 'echo out; echo err >&2');
	assert.deepEqual(JSON.parse(stdout), { exitCode: 0, stdout: 'out\n', stderr: 'err\n' });
	await gantry('rm', 'exec');
});

test('exec passes on what is written, at once and all of it; --json says when it has not all of it', async () => {
	await gantry('run', manifest('much', { containers: [waiting('main', image)] }));
	const sh = (script: string) => ['exec', 'much/main', '--', 'sh', '-c', script];

	assert.equal((await gantry(...sh('mkfifo /tmp/gate'))).code, 0);
	const script = 'echo before; echo apart >&2; read line < /tmp/gate; echo "$line"; exit 7';
	const running = stage.startGantry(...sh(script));
	await until(
		'its output is here',
		() => running.io.stdout === 'before\n' && running.io.stderr === 'apart\n',
	);
	await gantry(...sh('echo after > /tmp/gate'));
	assert.deepEqual(await running.said, { code: 7, stdout: 'before\nafter\n', stderr: 'apart\n' });

	const left = stage.startGantry(...sh('echo on; exec sleep 3000'));
	await until('it runs', () => left.io.stdout === 'on\n');
	left.interrupt();
	assert.equal((await left.said).code, 130);
	await until('it is killed', async () => !(await gantry(...sh('ps'))).stdout.includes('sleep 3000'));

	// 20 MB, more than runtime.exec_output_max_bytes.
	const fill = 'seq 300000 > /tmp/part; for i in 0 1 2 3 4 5 6 7 8 9; do cat /tmp/part; done > /tmp/big';
	const [sum] = (await gantry(...sh(`${fill}; sha256sum /tmp/big`))).stdout.split(' ');
	const whole = await gantry('exec', 'much/main', '--', 'cat', '/tmp/big');
	assert.equal(createHash('sha256').update(whole.stdout).digest('hex'), sum);
	assert.equal(whole.code, 0);
	for (const [redirect, name] of [
		['', 'output'],
		['>&2', 'error'],
	] as const) {
		const cut = await gantry('--json', ...sh(`cat /tmp/big ${redirect}`));
		assert.deepEqual([cut.code, cut.stdout], [1, '']);
		const { condition, message } = JSON.parse(cut.stderr).error;
		assert.equal(condition, 'DATA_LOSS');
		assert.match(
			message,
			new RegExp(`standard ${name} of sh in container much/main .*exec_output_max_bytes`),
		);
	}
	await gantry('rm', 'much');
});

test('a misspelt field keeps a pod from being run', async () => {
	const path = manifest('misspelt', { containers: [{ ...waiting('main', image), tti: true }] });
	const { code, stderr } = await gantry('run', path);
	assert.equal(code, 2);
	assert.match(stderr, /spec\.containers\[0\]\.tti: .*did you mean "tty"/);
	assert.equal((await gantry('inspect', 'misspelt')).code, 3);
});

test('logs -f goes on over a rotation, until the container ends', async () => {
	const script = 'echo one; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo two; exit 0';
	const path = manifest('follow', {
		restartPolicy: 'Never',
		containers: [{ name: 'main', image, command: ['sh', '-c', script] }],
	});
	assert.equal((await gantry('run', path)).code, 0);
	const following = stage.startGantry('logs', '-f', 'follow/main');
	while (!following.io.stdout.includes('one')) await sleep(10);
	const { status } = await daemon.cri.ContainerStatus({
		container_id: (await daemon.cri.ListContainers()).containers[0]?.id ?? '',
	});
	assert.ok(status);
	renameSync(status.log_path, `${status.log_path}.1`);
	await daemon.cri.ReopenContainerLog({ container_id: status.id });
	await gantry('exec', 'follow/main', '--', 'touch', '/tmp/go');
	assert.equal((await following.said).stdout, 'one\ntwo\n');
	assert.equal((await gantry('logs', '--tail', '1', 'follow/main')).stdout, 'two\n');
	assert.equal((await gantry('logs', '--tail', '0', 'follow/main')).stdout, '');
	await gantry('rm', 'follow');
});
