/** What every RPC's file is written against. */
import type { Log } from '#base/log.ts';
import type { RpcShapes, StreamRpcName, UnaryRpcName } from '#cri-api';
import type { ImageStore } from '#images';
import type { Cgroups, Criu, Launcher, RuntimeFeatures } from '#runtime';
import type { AppArmor } from '../apparmor/app-armor.ts';
import type { Config } from '../config/types.ts';
import type { Containers } from '../container/containers.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { NetworkProvider } from '../network/types.ts';
import type { Sandboxes } from '../sandbox/sandboxes.ts';
import type { Stats } from '../stats/stats.ts';
import type { StreamingServer } from '../streaming/server.ts';
import type { PullsUnderWay } from './pulls-under-way.ts';
import type { RecentErrors } from './recent-errors.ts';

/** The parts of a running daemon. Made once by `startDaemon`; handed to every handler. */
export interface Daemon {
	readonly version: string;
	readonly config: Config;
	readonly log: Log;
	readonly launcher: Launcher;
	readonly cgroups: Cgroups;
	/** Saves and restores processes, where the machine has it. */
	readonly criu: Criu;
	/** Which AppArmor profile a process gets. */
	readonly appArmor: AppArmor;
	readonly images: ImageStore;
	readonly network: NetworkProvider;
	/** Reads (list, find, get) are synchronous and lock-free; mutations are the lifecycle operations. */
	readonly sandboxes: Sandboxes;
	readonly containers: Containers;
	readonly events: EventBus;
	readonly stats: Stats;
	/** Where exec, attach and port-forward are spoken. */
	readonly streaming: StreamingServer;
	readonly metrics: Metrics;
	/** What the kernel offers to containers. */
	readonly features: RuntimeFeatures;
	readonly recentErrors: RecentErrors;
	readonly pulls: PullsUnderWay;
	readonly startedAt: Date;
	/** Why no pod can be run at the moment, as sentences; empty when all is well. */
	problems(): readonly string[];
}

/** One call: `signal` aborts at the client's deadline or when it goes away. */
export interface Call {
	readonly signal: AbortSignal;
	readonly log: Log;
	/** Records how long a stage took, for the log line and the metrics. */
	stage<T>(name: string, work: () => Promise<T>): Promise<T>;
}

export type UnaryHandler<N extends UnaryRpcName> = (
	daemon: Daemon,
	request: RpcShapes[N]['request'],
	call: Call,
) => Promise<RpcShapes[N]['responseInit']> | RpcShapes[N]['responseInit'];

/** Yields the messages of the stream; ends when `call.signal` aborts. */
export type StreamHandler<N extends StreamRpcName> = (
	daemon: Daemon,
	request: RpcShapes[N]['request'],
	call: Call,
) => AsyncIterable<RpcShapes[N]['responseInit']>;

/** `handlers.ts` must satisfy this: a new RPC in the contract fails to compile until it has a file. */
export type Handlers = { readonly [N in UnaryRpcName]: UnaryHandler<N> } & {
	readonly [N in StreamRpcName]: StreamHandler<N>;
};
