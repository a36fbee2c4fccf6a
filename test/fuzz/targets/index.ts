import type { Target } from '../target.ts';
import { CLI } from './cli.ts';
import { DAEMON } from './daemon.ts';
import { KERNEL } from './kernel.ts';
import { LAYERS } from './layers.ts';
import { NETWORK } from './network.ts';
import { REGISTRY } from './registry.ts';
import { RUNTIME } from './runtime.ts';
import { STREAMING } from './streaming.ts';

/** Every parser in TypeScript of bytes that somebody else wrote. A new one is an entry in the file of its subject. */
export const TARGETS: Readonly<Record<string, Target>> = {
	...LAYERS,
	...REGISTRY,
	...RUNTIME,
	...KERNEL,
	...NETWORK,
	...DAEMON,
	...STREAMING,
	...CLI,
};
