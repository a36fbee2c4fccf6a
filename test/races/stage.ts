/**
 * Calls on the same object at nearly the same moment, through a daemon process: each round with other small offsets,
 * all from one seed that is printed. Whatever wins, every outcome is one of those that are allowed, the events of
 * each object come in order, and nothing is left.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Condition, StatusError } from '#base/errors.ts';
import type { ContainerConfigInit, PodSandboxConfigInit } from '#cri-api';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { type Random, seeded } from '../support/random.ts';
import { busyboxEntries, type Registry, startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

/** How a call ended. */
export type Outcome = 'OK' | Condition;

/** A call and how it may end. */
export type Contender = readonly [call: () => Promise<unknown>, ...allowed: readonly Outcome[]];

const ROUNDS = 20;
const MOST_OFFSET_MS = 12;
/** What a container and a sandbox go through, whatever was called when. */
const CONTAINER_LIFE = /^CREATED( STARTED)?( STOPPED)? DELETED$/;
const SANDBOX_LIFE = /^CREATED STARTED STOPPED DELETED$/;

export class Stage implements AsyncDisposable {
	readonly registry: Registry;
	readonly image: string;
	readonly daemon: TestDaemon;
	readonly #random: Random;
	readonly #events = new Map<string, { sandbox: boolean; types: string[] }>();
	readonly #reading: Promise<void>;
	readonly #leave = new AbortController();
	#names = 0;

	private constructor(registry: Registry, image: string, daemon: TestDaemon) {
		const seed = Number(process.env.GANTRY_TEST_SEED ?? randomInt(2 ** 31));
		console.log(`races: GANTRY_TEST_SEED=${seed}`);
		this.#random = seeded(seed);
		this.registry = registry;
		this.image = image;
		this.daemon = daemon;
		this.#reading = this.#readEvents();
	}

	static async open(): Promise<Stage> {
		const registry = await startRegistry();
		const pushed = await registry.pushImage({
			name: 'races/busybox',
			layers: [{ entries: busyboxEntries() }],
			config: { Env: ['PATH=/bin'] },
		});
		const daemon = await startTestDaemon({ config: 'network.provider = "builtin"\n' });
		const stage = new Stage(registry, pushed.reference, daemon);
		await daemon.cri.PullImage({ image: { image: stage.image } });
		return stage;
	}

	get cri(): TestDaemon['cri'] {
		return this.daemon.cri;
	}

	/** A name that nothing had before. */
	name(): string {
		this.#names += 1;
		return `n${this.#names}`;
	}

	podConfig(): PodSandboxConfigInit {
		const name = this.name();
		const log_directory = `${this.daemon.folder}/logs/${name}`;
		return { metadata: { name, namespace: 'races', uid: name, attempt: 0 }, log_directory };
	}

	async pod(config = this.podConfig()): Promise<string> {
		return (await this.cri.RunPodSandbox({ config })).pod_sandbox_id;
	}

	containerConfig(command: readonly string[] = ['sleep', '1000']): ContainerConfigInit {
		const name = this.name();
		return {
			metadata: { name, attempt: 0 },
			image: { image: this.image },
			command,
			log_path: `${name}.log`,
			linux: { security_context: { namespace_options: { pid: 'CONTAINER' } } },
		};
	}

	async create(pod: string, config = this.containerConfig()): Promise<string> {
		return (await this.cri.CreateContainer({ pod_sandbox_id: pod, config })).container_id;
	}

	async run(pod: string, command?: readonly string[]): Promise<string> {
		const container_id = await this.create(pod, this.containerConfig(command));
		await this.cri.StartContainer({ container_id });
		return container_id;
	}

	/** Many rounds: `prepare` makes the object and answers the calls; all are made, and `check` looks afterwards. */
	async rounds(
		prepare: () => Promise<{
			readonly contenders: readonly Contender[];
			readonly check?: (outcomes: readonly Outcome[]) => Promise<void> | void;
		}>,
	): Promise<void> {
		for (let round = 0; round < ROUNDS; round++) {
			const { contenders, check } = await prepare();
			const outcomes = await Promise.all(contenders.map((contender) => this.#contend(contender)));
			await this.#reads();
			await check?.(outcomes);
		}
	}

	async #contend([call, ...allowed]: Contender): Promise<Outcome> {
		const offsetMs = this.#random.below(2 * MOST_OFFSET_MS) - MOST_OFFSET_MS;
		if (offsetMs > 0) await sleep(offsetMs);
		try {
			await call();
			return 'OK';
		} catch (error) {
			const { condition, message } = error as StatusError;
			assert.ok(allowed.includes(condition), `${condition} is not among ${allowed}: ${message}`);
			return condition;
		}
	}

	/** Lists never fail, and nobody is ever UNKNOWN. */
	async #reads(): Promise<void> {
		const { containers } = await this.cri.ListContainers();
		assert.ok(containers.every(({ state }) => state !== 'CONTAINER_UNKNOWN'));
		await Promise.all([
			this.cri.ListPodSandbox(),
			this.cri.ListContainerStats(),
			this.cri.ListPodSandboxStats(),
		]);
	}

	async #readEvents(): Promise<void> {
		const stream = this.cri.GetContainerEvents({}, { signal: this.#leave.signal });
		for await (const { container_id, container_event_type, pod_sandbox_status } of stream) {
			const seen = this.#events.get(container_id) ?? {
				sandbox: pod_sandbox_status?.id === container_id,
				types: [],
			};
			seen.types.push(container_event_type.replace(/CONTAINER_(.*)_EVENT/, '$1'));
			this.#events.set(container_id, seen);
		}
	}

	async removePods(): Promise<void> {
		const { items } = await this.cri.ListPodSandbox();
		for (const { id } of items) await this.cri.RemovePodSandbox({ pod_sandbox_id: id });
	}

	/** When all pods are gone every object must have lived and ended in order. */
	async #checkEvents(): Promise<void> {
		await this.removePods();
		const wrong = (): string[] =>
			[...this.#events]
				.filter(([, { sandbox, types }]) => !(sandbox ? SANDBOX_LIFE : CONTAINER_LIFE).test(types.join(' ')))
				.map(([id, { sandbox, types }]) => `${sandbox ? 'sandbox' : 'container'} ${id}: ${types.join(' ')}`);
		await until('every object was deleted', () =>
			[...this.#events.values()].every(({ types }) => types.includes('DELETED')),
		).catch(() => {});
		assert.deepEqual(wrong(), []);
		assert.ok(this.#events.size > 0);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		try {
			await this.#checkEvents();
		} finally {
			this.#leave.abort();
			await this.#reading;
			await this.daemon[Symbol.asyncDispose]().finally(() => this.registry[Symbol.asyncDispose]());
		}
	}
}
