import { invalidArgument } from '#base/errors.ts';
import { CAPABILITIES } from '#runtime';
import { type With, withProcess } from './draft.ts';
import type { ContainerSpecInput } from './input.ts';

/** The five capability sets, from the defaults and what the request adds and drops. */
export const withCapabilities: With<ContainerSpecInput> = (spec, input) => {
	const held = containerCapabilities(input);
	const ambient = mayGive(input, askedAmbient(input, input.host.capabilities));
	const all = union(held, ambient);
	return withProcess(spec, {
		// An ambient capability must be permitted and inheritable too (capabilities(7)).
		capabilities: { bounding: all, effective: all, permitted: all, inheritable: ambient, ambient },
	});
};

type Asked = Pick<ContainerSpecInput, 'privileged' | 'security' | 'host' | 'defaults'>;

/** The bounding set: privileged has everything; ALL is added or dropped before the named ones. What the daemon may not give is left out. */
export function containerCapabilities(input: Asked): readonly string[] {
	return mayGive(input, askedCapabilities(input, input.host.capabilities));
}

/** What the container was to have, and does not because the daemon may not give it. */
export function withheldCapabilities(input: Asked): readonly string[] {
	const everything = union(input.host.capabilities, input.host.missingCapabilities);
	const asked = union(askedCapabilities(input, everything), askedAmbient(input, everything));
	return asked.filter((name) => !input.host.capabilities.includes(name));
}

function askedCapabilities(input: Asked, everything: readonly string[]): readonly string[] {
	if (input.privileged) return everything;
	const { add_capabilities: add = [], drop_capabilities: drop = [] } = input.security?.capabilities ?? {};
	const start = hasAll(drop) ? [] : hasAll(add) ? everything : input.defaults.defaultCapabilities;
	const dropped = new Set(namedIn(drop));
	return union(start, namedIn(add)).filter((name) => !dropped.has(name));
}

function askedAmbient(
	{ security }: Pick<ContainerSpecInput, 'security'>,
	everything: readonly string[],
): readonly string[] {
	const names = security?.capabilities?.add_ambient_capabilities ?? [];
	return hasAll(names) ? everything : namedIn(names);
}

const mayGive = ({ host }: Pick<ContainerSpecInput, 'host'>, names: readonly string[]): readonly string[] =>
	names.filter((name) => host.capabilities.includes(name));

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
