import { invalidArgument } from '#base/errors.ts';
import type { ContainerConfig } from '#cri-api';
import type { ImageConfig } from '#images';

/**
 * What a container runs, as Kubernetes says it: `command` replaces the image's entrypoint and drops its command;
 * `args` alone replace the image's command.
 */
export function containerArgs(
	{ command, args }: Pick<ContainerConfig, 'command' | 'args'>,
	image: Pick<ImageConfig, 'entrypoint' | 'command'>,
): readonly string[] {
	const all =
		command.length > 0
			? [...command, ...args]
			: [...image.entrypoint, ...(args.length > 0 ? args : image.command)];
	checkArguments('command', all);
	return all;
}

/** INVALID_ARGUMENT unless this can be given to execve. */
export function checkArguments(field: string, args: readonly string[]): void {
	if (args.length === 0 || args[0] === '') {
		throw invalidArgument(`${field} is empty: neither the request nor the image names a program`);
	}
	if (args.some((arg) => arg.includes('\0'))) throw invalidArgument(`${field} has a NUL character in it`);
}
