import type { UnaryHandler } from './types.ts';

/** Version: who we are. `version` is the version of the kubelet's own protocol field, which is always 0.1.0. */
export const version: UnaryHandler<'Version'> = (daemon) => ({
	version: '0.1.0',
	runtime_name: 'gantry',
	runtime_version: daemon.version,
	runtime_api_version: 'v1',
});
