import { type With, withProcess } from './draft.ts';
import type { ContainerSpecInput } from './input.ts';

/** What runs, where, and with a terminal or not. */
export const withCommand: With<ContainerSpecInput> = (spec, { args, config, image }) =>
	withProcess(spec, {
		args,
		cwd: absolute(config.working_dir || image.workingDir || '/'),
		...(config.tty ? { terminal: true } : {}),
	});

/** Images exist whose working folder lacks the slash. */
const absolute = (path: string): string => (path.startsWith('/') ? path : `/${path}`);
