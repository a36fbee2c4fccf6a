import { type With, withProcess } from './draft.ts';
import type { ContainerSpecInput } from './input.ts';

/** What a shell needs when neither image nor request names a PATH. */
export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The environment: defaults, the node's own, the image's, the request's, its devices'; a later one with the same name wins and
 * stays at the place of the first.
 */
export const withEnvironment: With<ContainerSpecInput> = (
	spec,
	{ config, image, user, sandbox, defaults, edits },
) => {
	const requested = config.envs.map(({ key, value }) => `${key}=${Buffer.from(value).toString('utf8')}`);
	const basic = [
		DEFAULT_PATH,
		`HOSTNAME=${sandbox.hostname}`,
		`HOME=${user.home}`,
		...(config.tty ? ['TERM=xterm'] : []),
	];
	return withProcess(spec, {
		env: mergeEnvironment(basic, defaults.defaultEnv, image.env, requested, edits.env),
	});
};

/** Joins lists of NAME=value. */
export function mergeEnvironment(...lists: readonly (readonly string[])[]): string[] {
	const merged = new Map<string, string>();
	for (const entry of lists.flat()) merged.set(nameOf(entry), entry);
	return [...merged.values()];
}

function nameOf(entry: string): string {
	const end = entry.indexOf('=');
	return end < 0 ? entry : entry.slice(0, end);
}
