import type { AuthConfig } from '#cri-api';
import type { Credentials } from '#images';
import { imageOf } from './image-spec.ts';
import type { UnaryHandler } from './types.ts';

/**
 * PullImage: answers the image id. The sandbox's config changes nothing: images belong to the whole node. The pull
 * is given up when its last caller has gone.
 */
export const pullImage: UnaryHandler<'PullImage'> = async (daemon, request, call) => {
	const reference = imageOf(request.image, 'pull the image');
	const credentials = toCredentials(request.auth);
	using progress = daemon.pulls.begin(reference);
	const options = {
		signal: call.signal,
		onProgress: progress.report,
		...(credentials !== undefined && { credentials }),
	};
	const image = await call.stage('pull', () => daemon.images.pull(reference, options));
	return { image_ref: image.id };
};

/** Unset fields come as ''; credentials without any field are none. */
export function toCredentials(auth: AuthConfig | null): Credentials | undefined {
	if (auth === null) return undefined;
	const credentials = {
		...(auth.username !== '' && { username: auth.username }),
		...(auth.password !== '' && { password: auth.password }),
		...(auth.auth !== '' && { auth: auth.auth }),
		...(auth.server_address !== '' && { serverAddress: auth.server_address }),
		...(auth.identity_token !== '' && { identityToken: auth.identity_token }),
		...(auth.registry_token !== '' && { registryToken: auth.registry_token }),
	};
	return Object.keys(credentials).length === 0 ? undefined : credentials;
}
