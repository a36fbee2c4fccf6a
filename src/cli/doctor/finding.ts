import type { ProcessIdentity } from '#runtime';

/** How a finding is taken away. */
export type Removal =
	| { readonly how: 'kill'; readonly process: ProcessIdentity }
	/** `keep`: only the processes in it go. */
	| { readonly how: 'cgroup'; readonly members: readonly CgroupMember[]; readonly keep?: boolean }
	| { readonly how: 'unmount'; readonly path: string }
	| { readonly how: 'tree'; readonly path: string }
	/** Of AppArmor. */
	| { readonly how: 'profile'; readonly name: string }
	/** The daemon runs and knows the object: it is asked to remove it. */
	| { readonly how: 'daemon'; readonly object: 'sandbox' | 'container'; readonly id: string }
	/** By whoever found it (network, images): done while looking, when asked to fix. */
	| { readonly how: 'finder' }
	/** Not by us. */
	| { readonly how: 'none' };

export interface CgroupMember {
	readonly path: string;
	readonly v2: boolean;
}

/** Something of ours on the machine that no record owns. */
export interface Finding {
	/** `process`, `cgroup`, `mount`, `link`, `folder`, … */
	readonly kind: string;
	readonly name: string;
	/** Why it is one. */
	readonly why: string;
	/** Id of the sandbox or container, uid of the pod that it was made for; '' when it belongs to the instance as a whole. */
	readonly owner: string;
	/** What the thing itself tells of its owner: `pod NAMESPACE/NAME`. */
	readonly ownerName?: string;
	/** The owner lives; only this one thing of it is wrong. */
	readonly ofLiving?: boolean;
	/** Milliseconds since 1970 when it was made; undefined when the machine does not tell. */
	readonly sinceMs: number | undefined;
	/** What `--fix` does to it, and what it leaves alone. */
	readonly fix: string;
	/** A command that a person can run instead. */
	readonly remedy: string;
	readonly removal: Removal;
}

/** Two looks saw the same thing. */
export const sameFinding = (one: Finding, other: Finding): boolean =>
	one.kind === other.kind && one.name === other.name;
