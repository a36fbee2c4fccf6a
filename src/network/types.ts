/** What the network room offers: a provider that stands behind the OCI hooks of a sandbox's bundle. */
import type { OciHooks } from '#runtime';

export interface PortMapping {
	readonly protocol: 'tcp' | 'udp' | 'sctp';
	readonly containerPort: number;
	/** 0: not mapped. */
	readonly hostPort: number;
	/** '' : every address of the node. */
	readonly hostIp: string;
}

export interface SandboxNetworkRequest {
	readonly sandboxId: string;
	readonly namespace: string;
	readonly name: string;
	readonly uid: string;
	readonly hostname: string;
	readonly portMappings: readonly PortMapping[];
	readonly dns: {
		readonly servers: readonly string[];
		readonly searches: readonly string[];
		readonly options: readonly string[];
	};
	readonly annotations: Readonly<Record<string, string>>;
	readonly labels: Readonly<Record<string, string>>;
	readonly cgroupPath: string;
	/** Folder of the sandbox (the bundle's parent): plans, results and pins of the network live in it. */
	readonly folder: string;
}

/** What was attached. Stored as the sandbox's network result; given back to detach, restore and status. */
export interface NetworkResult {
	readonly provider: 'builtin' | 'cni';
	/** First IPv4, first IPv6, then others. */
	readonly ips: readonly string[];
	readonly interfaceName: string;
	readonly dns?: {
		readonly servers: readonly string[];
		readonly searches: readonly string[];
		readonly options: readonly string[];
	};
	/** The provider's own data, opaque to the daemon. */
	readonly data: unknown;
}

/** A sandbox that lives, with what its record says of its network. */
export interface LivingSandbox {
	readonly sandboxId: string;
	readonly folder: string;
	readonly result: NetworkResult;
}

/** Something of ours on the machine that nobody owns. */
export interface Leftover {
	readonly kind: string;
	readonly name: string;
	readonly why: string;
	/** The sandbox that it was made for, or the first digits of its id; '' when it is of the instance as a whole. */
	readonly sandboxId: string;
	/** `NAMESPACE/NAME` of its pod, when the thing itself tells it. */
	readonly pod: string;
	/** Milliseconds since 1970; undefined when the kernel does not tell. */
	readonly sinceMs: number | undefined;
	/** A command that removes it. */
	readonly remedy: string;
}

export interface LeftoverOptions {
	/** Which of them to remove. Default: none. */
	readonly fix?: (leftover: Leftover) => boolean;
	/** The daemon does not run. */
	readonly stopped?: boolean;
}

/** What goes into the bundle before create. */
export interface PreparedNetwork {
	readonly hooks: Pick<OciHooks, 'createRuntime' | 'poststop'>;
	/** Namespace pins that the provider wants (CNI: the network namespace as a file). */
	readonly pins: readonly { readonly name: string; readonly path: string }[];
	/** The addresses of the result, where the provider gives them out itself and so knows them before. */
	readonly ips?: readonly string[];
	/** The result, once runtime.create succeeded. */
	result(): Promise<NetworkResult>;
	/** Takes everything back when create failed or is never called (addresses, ports, files). Idempotent. */
	abandon(): Promise<void>;
}

export interface NetworkStatus {
	readonly ready: boolean;
	/** CamelCase reason and a sentence, for the NetworkReady condition. */
	readonly reason: string;
	readonly message: string;
}

export interface NetworkProvider {
	readonly name: 'builtin' | 'cni';
	/** Never blocks, never touches another process. */
	status(): NetworkStatus;
	prepare(request: SandboxNetworkRequest): Promise<PreparedNetwork>;
	/** After the poststop hook (or when no shim could run it): frees addresses and host ports, removes pins. Idempotent: what was freed before may be another's by now and stays. Never fails for a plug-in's failure, returns its sentence. */
	release(sandboxId: string, folder: string, result: NetworkResult | undefined): Promise<string>;
	/** At daemon start: takes over the results of living sandboxes; everything else of this instance on the machine is freed. */
	restore(living: readonly LivingSandbox[]): Promise<void>;
	/** UpdateRuntimeConfig: networks for the sandboxes to come, unless network.subnets is set. CNI has its own. */
	setPodCidr(cidrs: readonly string[]): Promise<void>;
	/** A few lines for people: the network plan of a sandbox. */
	describe(folder: string): Promise<readonly string[]>;
	/** What of ours is on the machine that no living sandbox owns. Host-wide things (bridge, table) only when `living` is empty and the daemon is stopped. */
	leftovers(living: ReadonlySet<string>, options?: LeftoverOptions): Promise<readonly Leftover[]>;
	/** Stops watching and serving. `removeHostParts`: also removes bridge and table, when no sandbox lives (a clean stop). */
	close(options?: { readonly removeHostParts?: boolean }): Promise<void>;
}
