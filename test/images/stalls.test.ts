/** Registries that stop at some byte of some answer, or send so little that they might as well. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { type Fault, FaultyProxy, type SeenRequest } from '../support/faulty-proxy.ts';
import { type PushedImage, type Registry, startRegistry } from '../support/registry.ts';
import { openTestStore, type TestStore } from './store.ts';

let registry: Registry;
let proxy: FaultyProxy;
let pushed: PushedImage;
let opened: TestStore;
before(async () => {
	registry = await startRegistry();
	proxy = await FaultyProxy.start(registry.host);
	pushed = await registry.pushImage({
		name: 'app',
		layers: [{ entries: [{ name: 'x', data: randomBytes(50_000) }] }],
	});
	opened = await openTestStore({ stallTimeoutMs: 300 });
});
after(async () => {
	await opened[Symbol.asyncDispose]();
	await proxy[Symbol.asyncDispose]();
	await registry.stop();
});
afterEach(async () => {
	for (const image of opened.store.list()) await opened.store.remove(image.id);
	await opened.store.garbage({ fix: true });
	assert.deepEqual(readdirSync(join(opened.root, 'snapshots')), [], 'nothing is left behind');
});

const KINDS = ['token', 'manifest', 'configuration', 'layer'] as const;
type Kind = (typeof KINDS)[number];

function kindOf(path: string): Kind {
	if (path.startsWith('/token')) return 'token';
	if (path.includes('/manifests/')) return 'manifest';
	return path.endsWith(pushed.imageId) ? 'configuration' : 'layer';
}

let pulls = 0;

/** A pull that needs a token of its own, in which `faulty` says what is wrong with an answer. */
function pull(faulty: (kind: Kind, seen: SeenRequest) => Fault | undefined) {
	const stalled = new Set<string>();
	const token = `token${++pulls}`;
	proxy.reset((seen) => {
		const { path, headers } = seen;
		const kind = kindOf(path);
		if (kind !== 'token' && headers.authorization !== `Bearer ${token}`) {
			const challenge = `Bearer realm="http://${proxy.host}/token",service="s",scope="a:b:pull"`;
			return { status: 401, headers: { 'www-authenticate': challenge } };
		}
		const first = !stalled.has(path);
		stalled.add(path);
		const fault = faulty(kind, { ...seen, before: first ? 0 : 1 });
		return kind === 'token' ? { status: 200, body: JSON.stringify({ token }), ...fault } : fault;
	});
	return opened.store.pull(proxy.through(pushed.reference));
}

const PLACES: readonly (readonly [name: string, place: (head: number, total: number) => number])[] = [
	['before the first byte', () => 0],
	['after the first byte', () => 1],
	['in the status', () => 10],
	['in a header', () => 40],
	['before the last byte of the headers', (head) => head - 1],
	['after the headers', (head) => head],
	['after the first byte of the body', (head) => head + 1],
	['in the body', (head, total) => head + Math.floor((total - head) / 2)],
	['before the last byte', (_head, total) => total - 1],
];

for (const [name, wire] of PLACES)
	test(`every answer stalls once ${name}, and the pull goes on`, async () => {
		const image = await pull((_kind, { before }) => (before === 0 ? { wire } : undefined));
		assert.equal(image.id, pushed.imageId);
		const kinds = proxy.seen.map(({ path }) => kindOf(path));
		for (const kind of KINDS) assert.ok(kinds.filter((one) => one === kind).length >= 2, kind);
	});

const FOR_EVER: readonly (readonly [kind: Kind, name: string, fault: Fault])[] = [
	...KINDS.map((kind) => [kind, 'stalls', { wire: (head: number) => head + 5 }] as const),
	['manifest', 'trickles its headers', { tricklesEveryMs: 20 }],
	['manifest', 'trickles', { wire: (head) => head, tricklesEveryMs: 20 }],
	['layer', 'trickles', { wire: (head) => head, tricklesEveryMs: 20 }],
];
for (const [kind, name, fault] of FOR_EVER)
	test(`a ${kind} that ${name} every time ends the pull and is told`, async () => {
		await assert.rejects(
			pull((at) => (at === kind ? fault : undefined)),
			{ condition: 'UNAVAILABLE', message: /^RegistryUnavailable: .*app:latest: .*stalled/ },
		);
	});
