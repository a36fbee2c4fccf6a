import type { ProcessIdentity } from '#runtime';

/** How a finding is taken away. */
export type Removal =
	| { readonly how: 'kill'; readonly process: ProcessIdentity }
	| { readonly how: 'cgroup'; readonly members: readonly { readonly path: string; readonly v2: boolean }[] }
	| { readonly how: 'unmount'; readonly path: string }
	| { readonly how: 'tree'; readonly path: string }
	/** By whoever found it (network, images): done while looking, when asked to fix. */
	| { readonly how: 'finder' };

/** Something of ours on the machine that no record owns. */
export interface Finding {
	/** `process`, `cgroup`, `mount`, `link`, `folder`, … */
	readonly kind: string;
	readonly name: string;
	readonly why: string;
	/** The sandbox, container or pod it was made for; '' when it belongs to the instance as a whole. */
	readonly owner: string;
	/** Milliseconds since 1970 when it was made; undefined when the machine does not tell. */
	readonly sinceMs: number | undefined;
	/** A command that a person can run. */
	readonly remedy: string;
	readonly removal: Removal;
}
