import { invalidArgument } from '#base/errors.ts';
import { CAPABILITIES } from '#runtime';
import { type With, withProcess } from './draft.ts';
import type { ContainerSpecInput } from './input.ts';

/** The five capability sets, from the defaults and what the request adds and drops. */
export const withCapabilities: With<ContainerSpecInput> = (spec, input) => {
	const held = containerCapabilities(input);
	const ambient = ambientCapabilities(input);
	const all = union(held, ambient);
	return withProcess(spec, {
		// An ambient capability must be permitted and inheritable too (capabilities(7)).
		capabilities: { bounding: all, effective: all, permitted: all, inheritable: ambient, ambient },
	});
};

/** The bounding set: privileged has everything; ALL is added or dropped before the named ones. */
export function containerCapabilities(
	input: Pick<ContainerSpecInput, 'privileged' | 'security' | 'host' | 'defaults'>,
): readonly string[] {
	const everything = input.host.capabilities;
	if (input.privileged) return everything;
	const { add_capabilities: add = [], drop_capabilities: drop = [] } = input.security?.capabilities ?? {};
	const start = hasAll(drop) ? [] : hasAll(add) ? everything : input.defaults.defaultCapabilities;
	const dropped = new Set(namedIn(drop));
	return union(start, namedIn(add)).filter((name) => !dropped.has(name));
}

function ambientCapabilities({
	security,
	host,
}: Pick<ContainerSpecInput, 'security' | 'host'>): readonly string[] {
	const names = security?.capabilities?.add_ambient_capabilities ?? [];
	return hasAll(names) ? host.capabilities : namedIn(names);
}

const isAll = (name: string): boolean => name.toUpperCase() === 'ALL';
const hasAll = (names: readonly string[]): boolean => names.some(isAll);
const namedIn = (names: readonly string[]): readonly string[] =>
	names.filter((name) => !isAll(name)).map(fullName);

/** In the order of their numbers, each once. */
function union(one: readonly string[], other: readonly string[]): readonly string[] {
	const names = new Set([...one, ...other]);
	return CAPABILITIES.filter((name) => names.has(name));
}

/** `NET_ADMIN` and `cap_net_admin` are what CRI clients write for CAP_NET_ADMIN. */
function fullName(name: string): string {
	const upper = name.toUpperCase();
	const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
	if (CAPABILITIES.some((known) => known === full)) return full;
	throw invalidArgument(`Unknown capability ${JSON.stringify(name)} in linux.security_context.capabilities`);
}
