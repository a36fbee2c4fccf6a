import { createHash } from 'node:crypto';
import { invalidArgument } from '#base/errors.ts';
import type { Credentials } from '../types.ts';

/** Credentials in the one form in which they are used, and the registry that they are for. */
export type HostCredentials =
	| { readonly kind: 'basic'; readonly username: string; readonly password: string }
	/** An OAuth2 refresh token. */
	| { readonly kind: 'identity'; readonly token: string }
	/** Sent to the registry as it is. */
	| { readonly kind: 'bearer'; readonly token: string };

const DOCKER_HUB_HOSTS = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** The host that people name for the one that speaks the API: all names of Docker Hub are `docker.io`. */
export function canonicalHost(host: string): string {
	return DOCKER_HUB_HOSTS.has(host) ? 'docker.io' : host;
}

/** The host of `https://index.docker.io/v1/`, `quay.io`, `localhost:5000/x`. */
export function hostOfServerAddress(address: string): string {
	return canonicalHost(address.replace(/^[a-z]+:\/\//, '').split('/', 1)[0] ?? '');
}

/** undefined when nothing is given. INVALID_ARGUMENT when `auth` is not base64 of user:password. */
export function hostCredentials(given: Credentials | undefined): HostCredentials | undefined {
	if (given === undefined) return undefined;
	if (given.registryToken) return { kind: 'bearer', token: given.registryToken };
	if (given.identityToken) return { kind: 'identity', token: given.identityToken };
	if (given.username) return { kind: 'basic', username: given.username, password: given.password ?? '' };
	if (!given.auth) return undefined;
	const text = /^[A-Za-z0-9+/_-]+={0,2}$/.test(given.auth)
		? Buffer.from(given.auth, 'base64').toString()
		: '';
	const colon = text.indexOf(':');
	if (colon < 1)
		throw invalidArgument('Cannot read the credentials of the pull: "auth" is not base64 of user:password');
	return {
		kind: 'basic',
		username: text.slice(0, colon),
		password: text.slice(colon + 1).replace(/\0+$/, ''),
	};
}

/** A hash that tells credentials apart without keeping them. '' for none. */
export function fingerprint(value: unknown): string {
	return value === undefined ? '' : createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
