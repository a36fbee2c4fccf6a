/** The kubelet's pod life cycle event generator: lists everything over and over, and looks closer where something changed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container, PodSandbox } from '#cri-api';
import type { TestCri } from '../support/cri-client.ts';

const ORDER = ['CONTAINER_CREATED', 'CONTAINER_RUNNING', 'CONTAINER_EXITED'];
/** A second on a node; here as quick as the daemon answers, with air for others. */
const PERIOD_MS = 5;

/** What the last list said, and what no list may ever say. */
export class Pleg implements AsyncDisposable {
	/** States that went back, objects that came back, calls that failed: empty for as long as all is well. */
	readonly problems: string[] = [];
	pods: readonly PodSandbox[] = [];
	containers: readonly Container[] = [];
	readonly #cri: TestCri;
	readonly #states = new Map<string, string>();
	readonly #gone = new Set<string>();
	#waiting: (() => void)[] = [];
	#ended = false;
	readonly #loop: Promise<void>;

	constructor(cri: TestCri) {
		this.#cri = cri;
		this.#loop = this.#run();
	}

	/** Settles after a list that began later than this call. */
	async relisted(): Promise<void> {
		for (let list = 0; list < 2; list++) await new Promise<void>((resolve) => this.#waiting.push(resolve));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#ended = true;
		await this.#loop;
	}

	async #run(): Promise<void> {
		while (!this.#ended) {
			await this.#relist().catch((error: unknown) => this.problems.push(String(error)));
			const waiting = this.#waiting;
			this.#waiting = [];
			for (const wake of waiting) wake();
			await sleep(PERIOD_MS);
		}
	}

	async #relist(): Promise<void> {
		const [{ items }, { containers }] = await Promise.all([
			this.#cri.ListPodSandbox(),
			this.#cri.ListContainers(),
		]);
		this.pods = items;
		this.containers = containers;
		const changed = containers.filter(({ id, state }) => this.#states.get(id) !== state);
		for (const { id, state } of containers) this.#note(id, state);
		const listed = new Set(containers.map(({ id }) => id));
		for (const id of this.#states.keys()) if (!listed.has(id)) this.#gone.add(id);
		await Promise.all(changed.map(({ id, pod_sandbox_id }) => this.#look(id, pod_sandbox_id)));
	}

	#note(id: string, state: string): void {
		const before = this.#states.get(id);
		if (this.#gone.has(id)) this.problems.push(`${id} is listed again`);
		if (before !== undefined && ORDER.indexOf(state) < ORDER.indexOf(before))
			this.problems.push(`${id} was ${before} and is ${state}`);
		this.#states.set(id, state);
	}

	/** What changed may be removed by now, and nothing else may go wrong. */
	async #look(container_id: string, pod_sandbox_id: string): Promise<void> {
		const calls = [
			this.#cri.ContainerStatus({ container_id }),
			this.#cri.PodSandboxStatus({ pod_sandbox_id }),
		];
		for (const answer of await Promise.allSettled(calls))
			if (answer.status === 'rejected' && answer.reason.condition !== 'NOT_FOUND')
				this.problems.push(String(answer.reason));
	}
}
