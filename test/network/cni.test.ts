/** CNI with the distribution's plugins on a private host, and with plugins of the test's own for what must fail. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { type Launcher, nativeBinary, startLauncher } from '../../runtime/index.ts';
import { silentLog } from '../../src/base/log.ts';
import { openNetwork } from '../../src/network/index.ts';
import type { NetworkProvider } from '../../src/network/types.ts';
import { ask, living, Namespace, port, startPod, stopPod, temporaryFolder } from './pods.ts';
import { must, onPrivateHost, run, script } from './private-host.ts';

const PLUGINS = '/usr/lib/cni';

if (onPrivateHost(import.meta.filename)) {
	let launcher: Launcher;
	let folder: string;

	const open = (part: Partial<Parameters<typeof openNetwork>[0]> = {}): Promise<NetworkProvider> =>
		openNetwork({
			instance: 'cnitest',
			provider: 'cni',
			subnets: [],
			cniConfDir: `${folder}/net.d`,
			cniBinDirs: [`${folder}/bin`, PLUGINS],
			launcher,
			stateFolder: `${folder}/state`,
			rootFolder: `${folder}/root`,
			hookBinary: nativeBinary('gantry-hook'),
			log: silentLog,
			checkIntervalMs: 0,
			...part,
		});

	const bridgeList = () => ({
		cniVersion: '1.0.0',
		name: 'testnet',
		plugins: [
			{
				type: 'bridge',
				bridge: 'cnitest-br',
				isGateway: true,
				ipMasq: true,
				hairpinMode: true,
				ipam: {
					type: 'host-local',
					dataDir: `${folder}/ipam`,
					ranges: [[{ subnet: '10.210.0.0/24' }], [{ subnet: 'fd00:210::/64' }]],
					routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
				},
				dns: { nameservers: ['192.0.2.53'], domain: 'test.example', search: ['a.example'] },
			},
			{ type: 'portmap', capabilities: { portMappings: true }, snat: true },
			{ type: 'bandwidth', capabilities: { bandwidth: true } },
		],
	});
	const configure = async (name: string, value: unknown) => {
		await rm(`${folder}/net.d`, { recursive: true, force: true });
		await mkdir(`${folder}/net.d`);
		await writeFile(`${folder}/net.d/${name}`, typeof value === 'string' ? value : JSON.stringify(value));
	};
	/** A plugin that is a shell script. $CNI_COMMAND tells what it is asked; its configuration is on its stdin. */
	const plugin = async (name: string, body: string) => {
		await writeFile(`${folder}/bin/${name}`, `#!/bin/sh\n${body}\n`);
		await chmod(`${folder}/bin/${name}`, 0o755);
	};
	const leases = async () =>
		(await readdir(`${folder}/ipam/testnet`)).filter((name) => /^(10\.|fd00)/.test(name));
	const pins = () => readdir(`${folder}/state/netns`).catch(() => []);

	before(async () => {
		folder = await temporaryFolder();
		await mkdir(`${folder}/bin`);
		launcher = await startLauncher({
			binary: nativeBinary('gantry-shim'),
			instance: 'cnitest',
			log: silentLog,
		});
		await script('ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0');
		await script(
			'ip link add up0 type veth peer name up1; ip link set up1 up; ip address add 192.0.2.2/24 dev up0; ip link set up0 up; ip route add default dev up0',
		);
	});
	after(async () => {
		await Namespace.endAll();
		for (const pin of await pins()) await run(['umount', '--lazy', `${folder}/state/netns/${pin}`]);
		await launcher?.close();
		await rm(folder, { recursive: true, force: true });
	});

	test('bridge, host-local, portmap and bandwidth: a pod with addresses, a host port and a rate', async () => {
		await configure('10-test.conflist', bridgeList());
		const network = await open();
		await network.restore([]);
		try {
			assert.deepEqual(network.status(), { ready: true, reason: '', message: '' });
			const web = await startPod(network, folder, {
				name: 'web',
				portMappings: [port()],
				annotations: { 'kubernetes.io/egress-bandwidth': '10M' },
			});
			assert.equal(web.result.provider, 'cni');
			assert.match(web.v4, /^10\.210\.0\./);
			assert.match(web.v6, /^fd00:210::/);
			assert.deepEqual(web.result.dns, {
				servers: ['192.0.2.53'],
				searches: ['test.example', 'a.example'],
				options: [],
			});
			assert.match(await ask(web.v4, 80), /^web /);
			assert.match(await ask(web.v6, 80), /^web /);
			assert.match(await ask('192.0.2.2', 8080), /^web /);
			assert.match(await ask('127.0.0.1', 8080), /^web /);
			assert.equal(await web.namespace.ask('127.0.0.1', 80), 'web ::ffff:127.0.0.1');
			assert.match(await must('tc', 'qdisc', 'show'), /tbf .*rate 10Mbit/);
			assert.match((await network.describe(web.folder)).join('\n'), /ADD portmap .* with portMappings/);
			assert.equal((await leases()).length, 2);
			assert.equal(await stopPod(network, web), '');
			assert.deepEqual(await leases(), []);
			assert.deepEqual(await pins(), []);
			assert.equal(await ask('127.0.0.1', 8080), '');
			assert.deepEqual(await network.leftovers(new Set()), []);
			assert.equal(await network.release(web.id, web.folder, web.result), '', 'twice is fine');
		} finally {
			await network.close();
		}
	});

	test('a lost sandbox is freed at the next start, a living one is checked and keeps its address', async () => {
		await configure('10-test.conflist', bridgeList());
		const first = await open();
		await first.restore([]);
		const kept = await startPod(first, folder, { name: 'kept' });
		const lost = await startPod(first, folder, { name: 'lost' });
		await first.close();
		await lost.namespace.end();

		const second = await open();
		await second.restore(living(kept));
		try {
			while ((await leases()).length > 2) await new Promise((resolve) => setTimeout(resolve, 20));
			assert.ok((await leases()).includes(kept.v4));
			assert.deepEqual(await pins(), [kept.id]);
			assert.match(await ask(kept.v4, 80), /^kept /);
			assert.equal(await stopPod(second, kept), '', 'the token of the first daemon is still known');
			assert.deepEqual(await leases(), []);
		} finally {
			await second.close();
		}
	});

	test('without a daemon the hook fails, and release frees all the same', async () => {
		await configure('10-test.conflist', bridgeList());
		const network = await open();
		await network.restore([]);
		const pod = await startPod(network, folder, {});
		await network.close();
		await assert.rejects(stopPod(network, pod), /cannot reach gantryd/);
		const next = await open();
		await next.restore([]);
		try {
			assert.equal(await next.release(pod.id, pod.folder, pod.result), '');
			assert.deepEqual(await leases(), []);
			assert.deepEqual(await pins(), []);
		} finally {
			await next.close();
		}
	});

	test('a plugin that fails at ADD: its error is told, and the chain before it is taken back', async () => {
		await plugin(
			'refuses',
			`cat >/dev/null; [ "$CNI_COMMAND" = ADD ] && { echo '{"cniVersion":"1.0.0","code":101,"msg":"no luck","details":"on purpose"}'; exit 1; }; exit 0`,
		);
		const list = bridgeList();
		await configure('10-test.conflist', { ...list, plugins: [...list.plugins, { type: 'refuses' }] });
		const network = await open();
		await network.restore([]);
		try {
			await assert.rejects(
				startPod(network, folder, {}),
				/CNI plugin refuses failed at ADD: no luck \(on purpose\) \[code 101\]/,
			);
			assert.deepEqual(await leases(), []);
			assert.deepEqual(await pins(), []);
			assert.deepEqual(await network.leftovers(new Set()), []);
		} finally {
			await network.close();
		}
	});

	test('a plugin that fails at DEL keeps nothing from going: told, noted, and done by the next start', async () => {
		await plugin(
			'clings',
			`cat >/dev/null; if [ "$CNI_COMMAND" = DEL ] && [ ! -e ${folder}/mended ]; then echo "still busy" >&2; exit 3; fi; [ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"1.0.0","ips":[{"address":"10.1.1.1/24"}]}'; exit 0`,
		);
		await configure('10-test.conflist', {
			cniVersion: '1.0.0',
			name: 'clings',
			plugins: [{ type: 'clings' }],
		});
		const network = await open();
		await network.restore([]);
		const pod = await startPod(network, folder, {});
		assert.match(await stopPod(network, pod), /CNI plugin clings failed at DEL: exit status 3: still busy/);
		assert.deepEqual(await pins(), []);
		assert.equal((await network.leftovers(new Set())).length, 1);
		await network.close();
		await writeFile(`${folder}/mended`, '');
		const next = await open();
		await next.restore([]);
		try {
			while ((await next.leftovers(new Set())).length > 0)
				await new Promise((resolve) => setTimeout(resolve, 20));
		} finally {
			await next.close();
		}
	});

	test('plugins are told what the specification says', async () => {
		await plugin(
			'tells',
			`cat > ${folder}/told.$CNI_COMMAND; env | grep ^CNI_ | sort > ${folder}/told.env.$CNI_COMMAND; [ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"1.1.0","ips":[{"address":"10.1.1.1/24"}]}'; exit 0`,
		);
		await configure('10-test.conflist', {
			cniVersion: '1.1.0',
			name: 'tells',
			plugins: [
				{
					type: 'tells',
					capabilities: { portMappings: true, dns: true, bandwidth: true, cgroupPath: true, ips: true },
				},
			],
		});
		const network = await open();
		await network.restore([]);
		try {
			const told = async (command: string) => JSON.parse(await readFile(`${folder}/told.${command}`, 'utf8'));
			assert.deepEqual((await told('GC'))['cni.dev/valid-attachments'], []);
			assert.equal((await told('STATUS')).name, 'tells');
			const pod = await startPod(network, folder, {
				name: 'web',
				portMappings: [port({ hostIp: '127.0.0.1' })],
				dns: { servers: ['192.0.2.1'], searches: [], options: [] },
			});
			assert.deepEqual((await told('ADD')).runtimeConfig, {
				portMappings: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80, hostIP: '127.0.0.1' }],
				dns: { servers: ['192.0.2.1'], searches: [], options: [] },
				cgroupPath: '/test/pod',
			});
			const environment = await readFile(`${folder}/told.env.ADD`, 'utf8');
			assert.match(environment, new RegExp(`^CNI_CONTAINERID=${pod.id}$`, 'm'));
			assert.match(environment, new RegExp(`^CNI_NETNS=${folder}/state/netns/${pod.id}$`, 'm'));
			assert.match(environment, /^CNI_IFNAME=eth0$/m);
			assert.match(
				environment,
				/^CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=[0-9a-f]{64};K8S_POD_UID=uid-1$/m,
			);
			await network.close();
			const again = await open();
			await again.restore(living(pod));
			assert.deepEqual((await told('GC'))['cni.dev/valid-attachments'], [
				{ containerID: pod.id, ifname: 'eth0' },
			]);
			assert.equal(await stopPod(again, pod), '');
			assert.deepEqual((await told('DEL')).prevResult, {
				cniVersion: '1.1.0',
				ips: [{ address: '10.1.1.1/24' }],
			});
			await again.close();
		} finally {
			await network.close();
		}
	});

	test('auto: a configuration that appears is used, and one that goes gives way to the built-in provider', async () => {
		await rm(`${folder}/net.d`, { recursive: true, force: true });
		const network = await open({ provider: 'auto' });
		await network.restore([]);
		const until = async (name: string) => {
			while (network.name !== name) await new Promise((resolve) => setTimeout(resolve, 20));
		};
		try {
			assert.equal(network.name, 'builtin');
			const builtin = await startPod(network, folder, { name: 'one' });
			assert.equal(builtin.result.provider, 'builtin');
			await configure('10-test.conflist', bridgeList());
			await until('cni');
			const cni = await startPod(network, folder, { name: 'two' });
			assert.equal(cni.result.provider, 'cni');
			await configure('10-test.conflist', 'no json');
			await until('builtin');
			assert.equal(await stopPod(network, cni), '');
			assert.deepEqual(await leases(), []);
			assert.equal(await stopPod(network, builtin), '');
			assert.deepEqual(await network.leftovers(new Set()), []);
		} finally {
			await network.close({ removeHostParts: true });
		}
		assert.doesNotMatch(await must('ip', 'link'), /cnitest0/);
	});

	test('status tells why a chosen network cannot work', async () => {
		const status = async (value: unknown) => {
			await configure('10-test.conflist', value);
			const network = await open();
			await network.restore([]);
			await network.close();
			return network.status();
		};
		assert.match((await status('{')).message, /10-test\.conflist: it is not JSON/);
		assert.match(
			(await status({ cniVersion: '1.0.0', name: 'x', plugins: [{ type: 'absent' }] })).message,
			/CNI plugin absent is not in/,
		);
		await plugin(
			'unready',
			`cat >/dev/null; [ "$CNI_COMMAND" = STATUS ] && { echo '{"code":50,"msg":"not yet"}'; exit 1; }; exit 0`,
		);
		const { ready, message } = await status({
			cniVersion: '1.1.0',
			name: 'x',
			plugins: [{ type: 'unready' }],
		});
		assert.equal(ready, false);
		assert.match(message, /not yet/);
		assert.deepEqual(await pins(), []);
	});
}
