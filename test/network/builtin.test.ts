/** The built-in provider on a private host: bridge, traffic, host ports, recovery, and that nothing is left. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { openNetwork } from '../../src/network/index.ts';
import type { NetworkProvider } from '../../src/network/types.ts';
import { type Launcher, nativeBinary, startLauncher } from '../../runtime/index.ts';
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

	const open = (instance: string, part: Partial<Parameters<typeof openNetwork>[0]> = {}): Promise<NetworkProvider> =>
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
	const withNetwork = async (instance: string, work: (network: NetworkProvider) => Promise<void>, part = {}) => {
		const network = await open(instance, part);
		await network.restore([]);
		try {
			assert.deepEqual(network.status(), { ready: true, reason: '', message: '' });
			await work(network);
		} finally {
			await network.leftovers(new Set(), { fix: true, stopped: true });
			await network.close();
		}
	};

	before(async () => {
		folder = await temporaryFolder();
		launcher = await startLauncher({ binary: nativeBinary('gantry-shim'), instance: 'nettest', log: silentLog });
		outside = await Namespace.make('outside');
		await script(`
			ip link set lo up
			ip link add up0 mtu 1400 type veth peer name eth0 netns ${outside.pid}
			ip address add 192.0.2.2/24 dev up0
			ip address add 2001:db8::2/64 dev up0 nodad
			ip link set up0 up
		`);
		await outside.run('sh', '-ec', 'ip link set lo up; ip address add 192.0.2.1/24 dev eth0; ip address add 2001:db8::1/64 dev eth0 nodad; ip link set eth0 mtu 1400 up');
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
			assert.equal(await ask(web.v4, 80), 'web ::ffff:' + (await gateway('one', 4)));
			assert.equal(await ask(web.v6, 80), `web ${await gateway('one', 6)}`);
			assert.equal(await client.namespace.ask(web.v4, 80), `web ::ffff:${client.v4}`);
			assert.equal(await client.namespace.ask(web.v6, 80), `web ${client.v6}`);
			assert.equal(await client.namespace.ask('192.0.2.1', 80), 'outside ::ffff:192.0.2.2');
			assert.equal(await client.namespace.ask('2001:db8::1', 80), 'outside 2001:db8::2');
			assert.equal(await client.namespace.ask('127.0.0.1', 80), 'client ::ffff:127.0.0.1', 'loopback is up');
			assert.match(await client.namespace.run('ip', 'link', 'show', 'eth0'), /mtu 1400/);
			assert.equal(await stopPod(network, web), '');
			assert.equal(await stopPod(network, client), '');
			assert.doesNotMatch(await must('ip', 'link'), /@if/, 'no pod link is left');
		});
		assert.deepEqual(await snapshot(), clean);
	});

	test('host ports answer on every address of the node, and where they are told to only', async () => {
		await withNetwork('one', async (network) => {
			const portMappings = [
				port({ hostPort: 8080 }),
				port({ hostPort: 8053, containerPort: 53, protocol: 'udp' }),
				port({ hostPort: 8081, hostIp: '127.0.0.1' }),
				port({ hostPort: 8082, hostIp: '2001:db8::2' }),
			];
			const web = await startPod(network, folder, { name: 'web', portMappings });
			const client = await startPod(network, folder, { name: 'client' });
			const fromHost = (address: string, number: number, protocol: 'tcp' | 'udp' = 'tcp') => ask(address, number, protocol);
			assert.match(await fromHost('127.0.0.1', 8080), /^web /);
			assert.match(await fromHost('192.0.2.2', 8080), /^web /);
			assert.match(await fromHost('2001:db8::2', 8080), /^web /);
			assert.match(await fromHost('127.0.0.1', 8053, 'udp'), /^web /);
			assert.match(await fromHost('192.0.2.2', 8053, 'udp'), /^web /);
			assert.equal(await outside.ask('192.0.2.2', 8080), 'web ::ffff:192.0.2.1', 'the client keeps its address');
			assert.equal(await outside.ask('2001:db8::2', 8080), 'web 2001:db8::1');
			assert.equal(await outside.ask('192.0.2.2', 8053, 'udp'), 'web ::ffff:192.0.2.1');
			assert.match(await client.namespace.ask('192.0.2.2', 8080), /^web /, 'another pod through the host port');
			assert.match(await web.namespace.ask('192.0.2.2', 8080), /^web /, 'the pod itself through the host port');
			assert.match(await web.namespace.ask('2001:db8::2', 8080), /^web /);
			assert.match(await fromHost('127.0.0.1', 8081), /^web /);
			assert.equal(await fromHost('192.0.2.2', 8081), '', 'not where it was not asked for');
			assert.match(await fromHost('2001:db8::2', 8082), /^web /);
			assert.equal(await fromHost('192.0.2.2', 8082), '');
			assert.match(await fromHost('::1', 8080), /^web /);
			await assert.rejects(startPod(network, folder, { portMappings: [port({ hostIp: '127.0.0.1' })] }), /default\/web\) holds 0\.0\.0\.0:8080\/tcp/);
			await stopPod(network, web);
			assert.equal(await fromHost('192.0.2.2', 8080), '');
			const next = await startPod(network, folder, { name: 'next', portMappings });
			assert.match(await fromHost('192.0.2.2', 8080), /^next /);
			assert.match(await outside.ask('192.0.2.2', 8053, 'udp'), /^next /);
			await stopPod(network, next);
			await stopPod(network, client);
		});
		assert.deepEqual(await snapshot(), clean);
	});

	const gateway = async (instance: string, family: 4 | 6): Promise<string> => {
		const addresses = JSON.parse(await must('ip', '-json', 'address', 'show', `${instance}0`)) as {
			addr_info: { family: string; local: string; scope: string }[];
		}[];
		const wanted = family === 4 ? 'inet' : 'inet6';
		return addresses[0]?.addr_info.find((one) => one.family === wanted && one.scope === 'global')?.local ?? '';
	};
	void living;
}
