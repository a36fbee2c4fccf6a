/** What every RPC has in common: request id, log line, stages, metrics, and errors made into StatusErrors. */
import { type Condition, cancelled, fromSystemError, type StatusError } from '#base/errors.ts';
import type { Log, LogFields } from '#base/log.ts';
import type { RpcName } from '#cri-api';
import type { Gate } from './gate.ts';
import type { Call, Daemon, Handlers } from './types.ts';

export interface Dispatcher {
	/** Fails with a StatusError only. */
	unary(name: RpcName, request: object, signal: AbortSignal): Promise<object>;
	stream(name: RpcName, request: object, signal: AbortSignal): AsyncIterable<object>;
}

interface StageTime {
	readonly name: string;
	readonly elapsedMs: number;
}

type AnyHandler = (daemon: Daemon, request: object, call: Call) => unknown;

/**
 * Calls the handlers. Every failure leaves as a StatusError; one that was none is a lack of room that nobody
 * foresaw, or a bug: INTERNAL, its stack logged. Calls that change something wait for `changes` to be opened; reads
 * never do.
 */
export function createDispatcher(daemon: Daemon, handlers: Handlers, changes?: Gate): Dispatcher {
	let count = 0;
	const begin = (name: RpcName, request: object, signal: AbortSignal) => {
		count += 1;
		return new Operation(daemon, name, request, signal, count);
	};
	const handlerOf = (name: RpcName): AnyHandler => handlers[name] as unknown as AnyHandler;
	return {
		async unary(name, request, signal) {
			const operation = begin(name, request, signal);
			try {
				if (changes?.isOpen === false && !READS.test(name))
					await operation.call.stage('recovery', () => changes.pass(signal));
				const response = await handlerOf(name)(daemon, request, operation.call);
				operation.succeeded();
				return response as object;
			} catch (error) {
				throw operation.failed(error);
			}
		},
		async *stream(name, request, signal) {
			const operation = begin(name, request, signal);
			try {
				yield* handlerOf(name)(daemon, request, operation.call) as AsyncIterable<object>;
				operation.succeeded();
			} catch (error) {
				throw operation.failed(error);
			} finally {
				// Whoever reads it has stopped in the middle.
				if (!operation.hasEnded) operation.failed(cancelled('The client has left'));
			}
		},
	};
}

/** Calls that change nothing are logged at debug, all others at info. */
const READS =
	/^(Version|Status|RuntimeConfig|List.*|.*Status|.*Stats|Image(FsInfo|Status)|Stream.*|GetContainerEvents|.*Metrics)$/;

class Operation {
	readonly call: Call;
	readonly name: RpcName;
	readonly startedMs = performance.now();
	readonly #daemon: Daemon;
	readonly #log: Log;
	readonly #objects: Objects;
	readonly #stages: StageTime[] = [];
	#hasEnded = false;

	constructor(daemon: Daemon, name: RpcName, request: object, signal: AbortSignal, number: number) {
		this.#daemon = daemon;
		this.name = name;
		this.#objects = objectsOf(request);
		this.#log = daemon.log.child({ request: number, rpc: name, ...this.#objects });
		this.call = { signal, log: this.#log, stage: (stage, work) => this.#stage(stage, work) };
		daemon.metrics.operationBegan(this);
	}

	get hasEnded(): boolean {
		return this.#hasEnded;
	}

	succeeded(): void {
		const level = READS.test(this.name) ? 'debug' : 'info';
		this.#log[level](`${this.name} done`, this.#finish('OK'));
	}

	failed(error: unknown): StatusError {
		const failure = fromSystemError(`${this.name} failed`, error);
		const fields = { ...this.#finish(failure.condition), error: failure.message };
		if (!EXPECTED.has(failure.condition))
			this.#daemon.recentErrors.add({
				rpc: this.name,
				code: failure.condition,
				message: failure.message,
				...this.#objects,
			});
		if (failure.condition === 'INTERNAL')
			this.#log.error(`${this.name} failed`, { ...fields, stack: stackOf(failure) });
		else if (EXPECTED.has(failure.condition)) this.#log.info(`${this.name} failed`, fields);
		else this.#log.warn(`${this.name} failed`, fields);
		return failure;
	}

	async #stage<T>(name: string, work: () => Promise<T>): Promise<T> {
		const startedMs = performance.now();
		try {
			return await work();
		} finally {
			const elapsedMs = performance.now() - startedMs;
			this.#stages.push({ name, elapsedMs });
			this.#daemon.metrics.stage(this.name, name, elapsedMs / 1000);
		}
	}

	#finish(code: Condition | 'OK'): LogFields {
		this.#hasEnded = true;
		const elapsedMs = performance.now() - this.startedMs;
		this.#daemon.metrics.operationEnded(this, code, elapsedMs / 1000);
		const stages = Object.fromEntries(this.#stages.map((stage) => [stage.name, rounded(stage.elapsedMs)]));
		return { code, durationMs: rounded(elapsedMs), ...(this.#stages.length > 0 && { stagesMs: stages }) };
	}
}

/** Failures that are part of normal life: the caller asks for what is gone, or leaves. */
const EXPECTED: ReadonlySet<Condition> = new Set<Condition>([
	'NOT_FOUND',
	'CANCELLED',
	'UNIMPLEMENTED',
	'ALREADY_EXISTS',
]);

const rounded = (ms: number): number => Math.round(ms * 100) / 100;

function stackOf(error: Error): string {
	const cause = error.cause;
	return cause instanceof Error ? `${error.stack}\ncaused by: ${cause.stack}` : String(error.stack);
}

interface Objects {
	readonly sandbox?: string;
	readonly container?: string;
	readonly image?: string;
}

/** What a request is about. */
function objectsOf(request: object): Objects {
	const { pod_sandbox_id, container_id, image } = request as {
		pod_sandbox_id?: string;
		container_id?: string;
		image?: { image?: string } | null;
	};
	return {
		...(pod_sandbox_id && { sandbox: pod_sandbox_id }),
		...(container_id && { container: container_id }),
		...(image?.image && { image: image.image }),
	};
}
