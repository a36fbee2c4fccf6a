/** The built-in provider on a private host: bridge, traffic, host ports, recovery, and that nothing is left. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { type Launcher, nativeBinary, startLauncher } from '../../runtime/index.ts';
import { createLog, silentLog } from '../../src/base/log.ts';
import { openNetwork } from '../../src/network/index.ts';
import type { NetworkProvider } from '../../src/network/types.ts';
import { ask, living, Namespace, port, startPod, stopPod, temporaryFolder } from './pods.ts';
import { must, onPrivateHost, script } from './private-host.ts';

const snapshot = async () => ({
	links: (await must('ip', '-brief', 'link')).replaceAll(/\s+\n/g, '\n'),
	addresses: await must('ip', '-brief', 'address'),
	rules: await must('nft', 'list', 'ruleset'),
});

if (onPrivateHost(import.meta.filename)) {
	let launcher: Launcher;
	let folder: string;
	let outside: Namespace;
	let clean: Awaited<ReturnType<typeof snapshot>>;

	const open = (
		instance: string,
		part: Partial<Parameters<typeof openNetwork>[0]> = {},
	): Promise<NetworkProvider> =>
		openNetwork({
			instance,
			provider: 'builtin',
			subnets: [],
			cniConfDir: `${folder}/no-cni`,
			cniBinDirs: [],
			launcher,
			stateFolder: `${folder}/${instance}`,
			hookBinary: nativeBinary('gantry-hook'),
			log: silentLog,
			checkIntervalMs: 0,
			...part,
		});

	/** A provider that is set up, and taken down after the work, whatever happens. */
	const withNetwork = async (
		instance: string,
		work: (network: NetworkProvider) => Promise<void>,
		part = {},
	) => {
		const network = await open(instance, part);
		await network.restore([]);
		try {
			assert.deepEqual(network.status(), { ready: true, reason: '', message: '' });
			await work(network);
		} finally {
			await network.close();
			await network.leftovers(new Set(), { fix: () => true, stopped: true });
		}
	};

	before(async () => {
		folder = await temporaryFolder();
		launcher = await startLauncher({
			binary: nativeBinary('gantry-shim'),
			instance: 'nettest',
			log: silentLog,
		});
		outside = await Namespace.make('outside');
		await script(`
			ip link set lo up
			ip link add up0 mtu 1400 type veth peer name eth0 netns ${outside.pid}
			ip address add 192.0.2.2/24 dev up0
			ip address add 2001:db8::2/64 dev up0 nodad
			ip link set up0 up
		`);
		await outside.run(
			'sh',
			'-ec',
			'ip link set lo up; ip address add 192.0.2.1/24 dev eth0; ip address add 2001:db8::1/64 dev eth0 nodad; ip link set eth0 mtu 1400 up',
		);
		await script(`
			ip route add default via 192.0.2.1
			ip -6 route add default via 2001:db8::1
		`);
		await outside.serve();
		clean = await snapshot();
	});
	after(async () => {
		await Namespace.endAll();
		await launcher?.close();
		await rm(folder, { recursive: true, force: true });
	});

	test('pods reach each other, the host and the outside, in both families', async () => {
		await withNetwork('one', async (network) => {
			const web = await startPod(network, folder, { name: 'web' });
			const client = await startPod(network, folder, { name: 'client' });
			assert.equal(await ask(web.v4, 80), `web ::ffff:${await gateway('one', 4)}`);
			assert.equal(await ask(web.v6, 80), `web ${await gateway('one', 6)}`);
			assert.equal(await client.namespace.ask(web.v4, 80), `web ::ffff:${client.v4}`);
			assert.equal(await client.namespace.ask(web.v6, 80), `web ${client.v6}`);
			assert.equal(await client.namespace.ask('192.0.2.1', 80), 'outside ::ffff:192.0.2.2');
			assert.equal(await client.namespace.ask('2001:db8::1', 80), 'outside 2001:db8::2');
			assert.equal(await client.namespace.ask('127.0.0.1', 80), 'client ::ffff:127.0.0.1', 'loopback is up');
			assert.match(await client.namespace.run('ip', 'link', 'show', 'eth0'), /mtu 1400/);
			assert.equal(await stopPod(network, web), '');
			assert.equal(await stopPod(network, client), '');
			assert.doesNotMatch(await must('ip', 'link'), /master one0/, 'no pod link is left');
		});
		assert.deepEqual(await snapshot(), clean);
	});

	/** Where it is 1, packets that cross the bridge are rewritten there, and hairpin mode matters; where it is 0, they are routed. */
	const bridgeNetfilter = ['0', '1'].filter(() => existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables'));
	for (const mode of bridgeNetfilter.length > 0 ? bridgeNetfilter : ['absent'])
		test(`host ports answer on every address of the node, and where they are told to only (bridge-nf-call ${mode})`, async () => {
			if (mode !== 'absent')
				await script(
					`sysctl -qw net.bridge.bridge-nf-call-iptables=${mode} net.bridge.bridge-nf-call-ip6tables=${mode}`,
				);
			await checkHostPorts();
		});

	const checkHostPorts = async () => {
		await withNetwork('one', async (network) => {
			const portMappings = [
				port({ hostPort: 8080 }),
				port({ hostPort: 8053, containerPort: 53, protocol: 'udp' }),
				port({ hostPort: 8081, hostIp: '127.0.0.1' }),
				port({ hostPort: 8082, hostIp: '2001:db8::2' }),
			];
			const web = await startPod(network, folder, { name: 'web', portMappings });
			const client = await startPod(network, folder, { name: 'client' });
			const fromHost = (address: string, number: number, protocol: 'tcp' | 'udp' = 'tcp') =>
				ask(address, number, protocol);
			assert.match(await fromHost('127.0.0.1', 8080), /^web /);
			assert.match(await fromHost('192.0.2.2', 8080), /^web /);
			assert.match(await fromHost('2001:db8::2', 8080), /^web /);
			assert.match(await fromHost('127.0.0.1', 8053, 'udp'), /^web /);
			assert.match(await fromHost('192.0.2.2', 8053, 'udp'), /^web /);
			assert.equal(
				await outside.ask('192.0.2.2', 8080),
				'web ::ffff:192.0.2.1',
				'the client keeps its address',
			);
			assert.equal(await outside.ask('2001:db8::2', 8080), 'web 2001:db8::1');
			assert.equal(await outside.ask('192.0.2.2', 8053, 'udp'), 'web ::ffff:192.0.2.1');
			assert.match(
				await client.namespace.ask('192.0.2.2', 8080),
				/^web /,
				'another pod through the host port',
			);
			assert.match(
				await web.namespace.ask('192.0.2.2', 8080),
				/^web /,
				'the pod itself through the host port',
			);
			assert.match(await web.namespace.ask('2001:db8::2', 8080), /^web /);
			assert.match(await fromHost('127.0.0.1', 8081), /^web /);
			assert.equal(await fromHost('192.0.2.2', 8081), '', 'not where it was not asked for');
			assert.match(await fromHost('2001:db8::2', 8082), /^web /);
			assert.equal(await fromHost('192.0.2.2', 8082), '');
			assert.equal(await fromHost('::1', 8080), '', 'refused at once, so that clients go on to 127.0.0.1');
			await assert.rejects(
				startPod(network, folder, { portMappings: [port({ hostIp: '127.0.0.1' })] }),
				/default\/web\) holds 0\.0\.0\.0:8080\/tcp/,
			);
			assert.match(await outside.ask('192.0.2.2', 8053, 'udp', 5353), /^web /);
			await stopPod(network, web);
			assert.equal(await fromHost('192.0.2.2', 8080), '');
			const next = await startPod(network, folder, { name: 'next', portMappings });
			assert.match(await fromHost('192.0.2.2', 8080), /^next /);
			assert.match(await outside.ask('192.0.2.2', 8053, 'udp', 5353), /^next /, 'not to the pod of before');
			await stopPod(network, next);
			await stopPod(network, client);
		});
		assert.deepEqual(await snapshot(), clean);
	};

	test('a pod reaches no service that listens on the loopback addresses of the host', async () => {
		await withNetwork('one', async (network) => {
			const service = createServer((socket) => socket.end('secret\n')).listen(8085, '127.0.0.1');
			await once(service, 'listening');
			const pod = await startPod(network, folder, {});
			try {
				assert.equal(await ask('127.0.0.1', 8085), 'secret');
				await pod.namespace.run(
					'sh',
					'-ec',
					'ip route del local 127.0.0.0/8 dev lo table local; ip address del 127.0.0.1/8 dev lo; sysctl -qw net.ipv4.conf.all.route_localnet=1',
				);
				await pod.namespace.run(
					'ip',
					'route',
					'add',
					'127.0.0.0/8',
					'via',
					await gateway('one', 4),
					'src',
					pod.v4,
				);
				assert.equal(await pod.namespace.ask('127.0.0.1', 8085), '');
			} finally {
				service.close();
				await stopPod(network, pod);
			}
		});
	});

	test('two instances side by side do not touch each other', async () => {
		await withNetwork('one', async (one) => {
			const first = await startPod(one, folder, { name: 'first', portMappings: [port({ hostPort: 8080 })] });
			const before = await must('nft', 'list', 'table', 'inet', 'gantry-one');
			await withNetwork('two', async (two) => {
				const second = await startPod(two, folder, {
					name: 'second',
					portMappings: [port({ hostPort: 8081 })],
				});
				assert.match(await ask('127.0.0.1', 8080), /^first /);
				assert.match(await ask('127.0.0.1', 8081), /^second /);
				assert.equal(await first.namespace.ask(second.v4, 80), `second ::ffff:${await gateway('two', 4)}`);
				assert.match(await first.namespace.ask('192.0.2.2', 8081), /^second /);
				assert.deepEqual(await two.leftovers(new Set([second.id])), []);
				await stopPod(two, second);
			});
			assert.equal(await must('nft', 'list', 'table', 'inet', 'gantry-one'), before);
			assert.match(await ask('127.0.0.1', 8080), /^first /);
			await stopPod(one, first);
		});
		assert.deepEqual(await snapshot(), clean);
	});

	test('a restart keeps the living, frees the lost, and mends what is gone', async () => {
		const first = await open('one');
		await first.restore([]);
		const kept = await startPod(first, folder, { name: 'kept', portMappings: [port({ hostPort: 8080 })] });
		const lost = await startPod(first, folder, { name: 'lost', portMappings: [port({ hostPort: 8081 })] });
		await first.close();
		await script('nft delete table inet gantry-one\nip link delete one0');

		const second = await open('one');
		await second.restore(living(kept));
		try {
			assert.match(await ask(kept.v4, 80), /^kept /);
			assert.match(await ask(kept.v6, 80), /^kept /);
			assert.match(await ask('127.0.0.1', 8080), /^kept /);
			assert.equal(await ask('127.0.0.1', 8081), '');
			const links = await must('ip', 'link', 'show', 'master', 'one0');
			assert.ok(links.includes(kept.id) && !links.includes(lost.id), links);
			const next = await startPod(second, folder, { name: 'next', portMappings: [port({ hostPort: 8081 })] });
			assert.notEqual(next.v4, kept.v4);
			assert.match(await ask('127.0.0.1', 8081), /^next /);
			assert.match(await next.namespace.ask('192.0.2.2', 8080), /^kept /);
			await second.close({ removeHostParts: true });
			assert.match(await ask(kept.v4, 80), /^kept /, 'nothing is removed while sandboxes live');
			await stopPod(second, kept);
			await stopPod(second, next);
		} finally {
			await lost.namespace.end();
			await second.close({ removeHostParts: true });
		}
		assert.deepEqual(await snapshot(), clean);
	});

	test('a flushed ruleset is noticed and mended while the daemon runs', async () => {
		await withNetwork(
			'one',
			async (network) => {
				const pod = await startPod(network, folder, { name: 'web', portMappings: [port()] });
				await script('nft flush ruleset');
				while ((await ask('127.0.0.1', 8080)) === '') await new Promise((resolve) => setTimeout(resolve, 20));
				await stopPod(network, pod);
			},
			{ checkIntervalMs: 50 },
		);
		assert.deepEqual(await snapshot(), clean);
	});

	test('a release that is done again takes nothing from whoever has address and host port by then', async () => {
		const repeated = async (network: NetworkProvider): Promise<void> => {
			const portMappings = [port({ hostPort: 8090 })];
			const first = await startPod(network, folder, { name: 'first', portMappings });
			assert.equal(await stopPod(network, first), '');
			const second = await startPod(network, folder, { name: 'second', portMappings });
			assert.deepEqual(second.result.ips, first.result.ips);
			assert.equal(await stopPod(network, first), '');
			assert.match(await ask('127.0.0.1', 8090), /^second /);
			assert.equal(await stopPod(network, second), '');
		};
		// One address only.
		await withNetwork('one', repeated, { subnets: ['10.98.7.0/30'] });
	});

	test('leftovers are told, and removed only when asked', async () => {
		const network = await open('one');
		await network.restore([]);
		const pod = await startPod(network, folder, {
			name: 'web',
			portMappings: [port({ hostIp: '127.0.0.1' })],
		});
		await network.close();
		const doctor = await open('one');
		try {
			assert.deepEqual(await doctor.leftovers(new Set([pod.id])), []);
			const kinds = async (options: object) =>
				(await doctor.leftovers(new Set(), options)).map(({ kind }) => kind);
			assert.deepEqual(await kinds({}), ['link', 'host port']);
			assert.deepEqual(await kinds({ stopped: true }), ['link', 'bridge', 'nftables table']);
			assert.deepEqual(await kinds({ fix: () => true }), ['link', 'host port']);
			assert.deepEqual(await kinds({}), []);
			assert.deepEqual(await kinds({ fix: () => true, stopped: true }), ['bridge', 'nftables table']);
		} finally {
			await pod.namespace.end();
		}
		assert.deepEqual(await snapshot(), clean);
	});

	test('a sandbox that fails half-way leaves nothing and frees what it had', async () => {
		await withNetwork(
			'one',
			async (network) => {
				await script('ip link set one0 name moved');
				await script('ip link delete moved');
				await assert.rejects(startPod(network, folder, { portMappings: [port()] }), /make gt.* on one0/);
				await network.restore([]);
				const pods = [];
				for (let count = 0; count < 5; count++)
					pods.push(await startPod(network, folder, count === 0 ? { portMappings: [port()] } : {}));
				await assert.rejects(startPod(network, folder, {}), /No address is free in 10\.99\.0\.0\/29/);
				for (const pod of pods) assert.equal(await stopPod(network, pod), '');
				const again = await startPod(network, folder, { portMappings: [port()] });
				assert.deepEqual(again.result.ips, [again.v4], 'only the configured family');
				await stopPod(network, again);
			},
			{ subnets: ['10.99.0.0/29'] },
		);
		assert.deepEqual(await snapshot(), clean);
	});

	test('networks that are used already are refused, and the reason is the status', async () => {
		const statusOf = async (subnets: readonly string[]) => {
			const network = await open('one', { subnets });
			await network.restore([]);
			const status = network.status();
			await assert.rejects(startPod(network, folder, {}), /The network of the host is not ready/);
			await network.close({ removeHostParts: true });
			return status;
		};
		assert.match(
			(await statusOf(['192.0.2.0/25'])).message,
			/192\.0\.2\.0\/25 overlaps the route to 192\.0\.2\.[0-9/]+ through up0.*network\.subnets/,
		);
		await assert.rejects(
			open('one', { subnets: ['10.1.0.0/16', '10.2.0.0/16'] }),
			/one pod network per family/,
		);
		await script('ip link add one0 type bridge');
		assert.match((await statusOf([])).message, /A link named one0 exists that is not ours/);
		await script('ip link delete one0');
		assert.deepEqual(await snapshot(), clean);
	});

	test('a pod CIDR is for the sandboxes to come', async () => {
		await withNetwork('one', async (network) => {
			const before = await startPod(network, folder, { name: 'before' });
			await network.setPodCidr(['10.77.0.0/24,fd00:77::/64']);
			const after = await startPod(network, folder, { name: 'after' });
			assert.deepEqual(after.result.ips, ['10.77.0.2', 'fd00:77::2']);
			assert.match(await ask(before.v4, 80), /^before /);
			assert.match(await before.namespace.ask(after.v4, 80), /^after /);
			assert.match(await after.namespace.ask('192.0.2.1', 80), /^outside ::ffff:192\.0\.2\.2/);
			await assert.rejects(network.setPodCidr(['192.0.2.0/24']), /overlaps/);
			await stopPod(network, before);
			await stopPod(network, after);
		});
		assert.deepEqual(await snapshot(), clean);
	});

	test('bandwidth annotations limit both directions, and nonsense in them is refused', async () => {
		await withNetwork('one', async (network) => {
			const annotations = {
				'kubernetes.io/ingress-bandwidth': '10M',
				'kubernetes.io/egress-bandwidth': '5G',
			};
			const pod = await startPod(network, folder, { name: 'web', annotations });
			assert.match(await must('tc', 'qdisc', 'show'), /tbf .*dev gt.* rate 10Mbit burst 64Kb/);
			assert.match(await pod.namespace.run('tc', 'qdisc', 'show', 'dev', 'eth0'), /tbf .* rate 5Gbit/);
			assert.match(await ask(pod.v4, 80), /^web /);
			await stopPod(network, pod);
			const wrong = { 'kubernetes.io/egress-bandwidth': 'fast' };
			await assert.rejects(startPod(network, folder, { annotations: wrong }), /egress-bandwidth is "fast"/);
		});
		assert.deepEqual(await snapshot(), clean);
	});

	test('a foreign chain that drops what is forwarded is told once, by its name', async () => {
		const lines: string[] = [];
		await script(
			'nft add table ip other\nnft add chain ip other block "{ type filter hook forward priority 0; policy drop; }"',
		);
		try {
			await withNetwork(
				'one',
				async (network) => {
					await network.restore([]);
					const told = lines.filter((line) => line.includes('another firewall drops'));
					assert.equal(told.length, 1);
					assert.match(told[0] ?? '', /"chains":"ip other block"/);
				},
				{ log: createLog('warn', (line) => lines.push(line)) },
			);
		} finally {
			await script('nft delete table ip other');
		}
		assert.deepEqual(await snapshot(), clean);
	});

	test('the plan is told in lines, with what each step took', async () => {
		await withNetwork('one', async (network) => {
			const pod = await startPod(network, folder, { portMappings: [port()] });
			const lines = await network.describe(pod.folder);
			assert.match(lines[0] ?? '', /^host {2}make gt[0-9a-f]{11} on one0, with eth0 in the pod {2}\d+ µs$/);
			assert.ok(lines.some((line) => line.startsWith(`pod   address ${pod.v4}/`)));
			assert.ok(lines.some((line) => /^host {2}map 2 host ports/.test(line)));
			if (process.env.SHOW_PLAN) console.error(lines.join('\n'));
			for (const line of lines) assert.match(line, / {2}\d+ µs$/);
			await stopPod(network, pod);
		});
	});

	const gateway = async (instance: string, family: 4 | 6): Promise<string> => {
		const addresses = JSON.parse(await must('ip', '-json', 'address', 'show', `${instance}0`)) as {
			addr_info: { family: string; local: string; scope: string }[];
		}[];
		const wanted = family === 4 ? 'inet' : 'inet6';
		return (
			addresses[0]?.addr_info.find((one) => one.family === wanted && one.scope === 'global')?.local ?? ''
		);
	};
}
