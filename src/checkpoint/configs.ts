import { invalidArgument, messageOf } from '#base/errors.ts';
import type { ContainerConfig, PodSandboxConfig, RestorePodRequest } from '#cri-api';
import { asRequest } from '../server/as-request.ts';
import type { Shape } from '../store/shape.ts';

/** Configs of documents that anyone may have written become what a request could have brought, or are refused. */
export const podConfig: Shape<PodSandboxConfig> = (value, path) =>
	present(decoded({ config: value }, path).config, path);
export const containerConfig: Shape<ContainerConfig> = (value, path) =>
	present(decoded({ container_configs: [value] }, path).container_configs[0] ?? null, path);

function decoded(request: object, path: string): RestorePodRequest {
	try {
		return asRequest('RestorePod', request);
	} catch (error) {
		throw invalidArgument(`${path} is no config of the CRI: ${messageOf(error)}`, { cause: error });
	}
}

function present<T>(config: T | null, path: string): T {
	if (config === null) throw invalidArgument(`${path} is missing`);
	return config;
}
