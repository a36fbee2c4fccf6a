import type { OciHook, OciHooks, OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { CONSTANTS } from '../shim/schema.ts';
import { type PlanContext, refuse } from './context.ts';

const PHASES = {
	prestart: { phase: CONSTANTS.HOOK_PRESTART, status: 'creating' },
	createRuntime: { phase: CONSTANTS.HOOK_CREATE_RUNTIME, status: 'creating' },
	createContainer: { phase: CONSTANTS.HOOK_CREATE_CONTAINER, status: 'creating' },
	startContainer: { phase: CONSTANTS.HOOK_START_CONTAINER, status: 'created' },
	poststart: { phase: CONSTANTS.HOOK_POSTSTART, status: 'running' },
	poststop: { phase: CONSTANTS.HOOK_POSTSTOP, status: 'stopped' },
} as const satisfies Record<keyof OciHooks, { phase: number; status: string }>;

/** The hooks of one phase as one step, with the OCI state that they read, cut where C puts the pid. */
export function hookOps(
	name: keyof OciHooks,
	spec: OciSpec,
	context: Pick<PlanContext, 'id' | 'bundle'>,
): Op[] {
	const hooks = spec.hooks?.[name] ?? [];
	if (hooks.length === 0) return [];
	const { phase, status } = PHASES[name];
	const state = { ociVersion: spec.ociVersion, id: context.id, status };
	const rest = { bundle: context.bundle, annotations: spec.annotations ?? {} };
	return [
		{
			op: 'hooks',
			phase,
			hooks: hooks.map((hook, index) => lowerHook(hook, `hooks.${name}[${index}]`)),
			state_head: `${JSON.stringify(state).slice(0, -1)},"pid":`,
			state_tail: `,${JSON.stringify(rest).slice(1)}`,
		},
	];
}

/** In milliseconds it must fit into 32 bits: seven weeks. */
const MAX_TIMEOUT_S = Math.floor(2 ** 32 / 1000) - 1;

function lowerHook({ path, args = [], env = [], timeout }: OciHook, where: string) {
	if (!path.startsWith('/')) throw refuse(`${where}.path`, `${path} is not absolute`);
	if (timeout !== undefined && timeout <= 0) throw refuse(`${where}.timeout`, 'must be more than 0 seconds');
	if ((timeout ?? 0) > MAX_TIMEOUT_S)
		throw refuse(`${where}.timeout`, `must be at most ${MAX_TIMEOUT_S} seconds`);
	return { path, args: args.length > 0 ? args : [path], env, timeout_ms: (timeout ?? 0) * 1000 };
}

/** The phase's name, for people. */
export function phaseName(phase: number): string {
	return Object.entries(PHASES).find(([, entry]) => entry.phase === phase)?.[0] ?? `phase ${phase}`;
}
