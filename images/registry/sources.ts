import { isIPv4 } from 'node:net';
import { failedPrecondition, invalidArgument } from '#base/errors.ts';
import { nameOf, type Reference } from '../reference.ts';
import type { Credentials } from '../types.ts';
import { canonicalHost, type HostCredentials, hostCredentials, hostOfServerAddress } from './credentials.ts';
import type { MirrorRule, RegistryRule } from './registries-conf.ts';

/** One place to pull from. Plain data: it is handed to worker threads. */
export interface Source {
	/** `http://127.0.0.1:5000`. */
	readonly origin: string;
	readonly repository: string;
	readonly isMirror: boolean;
	readonly credentials?: HostCredentials;
	/** For messages: whose credentials these are, or why there are none. */
	readonly credentialsFrom: string;
}

export interface SourceOptions {
	/** Registries beside loopback that are spoken to without TLS. */
	readonly insecure?: readonly string[];
	readonly credentials?: Credentials;
}

/** Where to pull from, in order: the mirrors, then the registry itself. FAILED_PRECONDITION when it is blocked. */
export function sourcesFor(
	reference: Reference,
	rules: readonly RegistryRule[],
	options: SourceOptions = {},
): Source[] {
	const name = nameOf(reference);
	const rule = ruleFor(name, rules);
	if (rule?.blocked)
		throw failedPrecondition(`Cannot pull ${name}: "${rule.prefix}" is blocked in registries.conf`);
	const to = credentialsTo(reference, options.credentials);
	const secureAs = (location: string, insecure: boolean) => ({
		insecure: insecure || (options.insecure ?? []).includes(hostOf(location)),
	});
	const mirrors = (rule?.mirrors ?? [])
		.filter((mirror) => isAsked(mirror, reference))
		.map((mirror) =>
			source(rewrite(name, rule, mirror.location), {
				isMirror: true,
				...secureAs(mirror.location, mirror.insecure),
				to,
			}),
		);
	const own = rule?.location === undefined ? name : rewrite(name, rule, rule.location);
	return [...mirrors, source(own, { isMirror: false, ...secureAs(own, rule?.insecure ?? false), to })];
}

/** The rule with the longest prefix that the name has. */
function ruleFor(name: string, rules: readonly RegistryRule[]): RegistryRule | undefined {
	return rules
		.filter((rule) => matchedPart(name, rule.prefix) !== undefined)
		.reduce<RegistryRule | undefined>(
			(best, rule) => (best === undefined || rule.prefix.length > best.prefix.length ? rule : best),
			undefined,
		);
}

/** The beginning of the name that the prefix stands for; it ends where a part of the name ends. */
function matchedPart(name: string, prefix: string): string | undefined {
	if (prefix.startsWith('*.')) {
		const host = hostOf(name);
		return host.endsWith(prefix.slice(1)) ? host : undefined;
	}
	return name === prefix || name.startsWith(`${prefix}/`) ? prefix : undefined;
}

function rewrite(name: string, rule: RegistryRule | undefined, location: string): string {
	const part = rule === undefined ? undefined : matchedPart(name, rule.prefix);
	return part === undefined ? name : `${location}${name.slice(part.length)}`;
}

function isAsked(mirror: MirrorRule, reference: Reference): boolean {
	if (mirror.pullFromMirror === 'all') return true;
	return (mirror.pullFromMirror === 'digest-only') === (reference.digest !== undefined);
}

type CredentialsTo = (host: string) => Pick<Source, 'credentials' | 'credentialsFrom'>;

/** Credentials go to the registry they are for and to no other: a mirror gets them only when they name it. */
function credentialsTo(reference: Reference, given: Credentials | undefined): CredentialsTo {
	const credentials = hostCredentials(given);
	if (credentials === undefined) return () => ({ credentialsFrom: 'no credentials were given' });
	const owner = given?.serverAddress
		? hostOfServerAddress(given.serverAddress)
		: canonicalHost(reference.registry);
	return (host) =>
		canonicalHost(host) === owner
			? { credentials, credentialsFrom: `the credentials of the pull request for ${owner} were sent` }
			: { credentialsFrom: `the credentials of the pull request are for ${owner} and were not sent` };
}

function source(name: string, how: { isMirror: boolean; insecure: boolean; to: CredentialsTo }): Source {
	const host = hostOf(name);
	const scheme = how.insecure || isLoopback(host) ? 'http' : 'https';
	const api = host === 'docker.io' || host === 'index.docker.io' ? 'registry-1.docker.io' : host;
	return {
		origin: originOf(`${scheme}://${api}`),
		repository: name.slice(host.length + 1),
		isMirror: how.isMirror,
		...how.to(host),
	};
}

/** As URLs of answers will have it: in lower case and without the scheme's own port. */
function originOf(address: string): string {
	if (!URL.canParse(address)) throw invalidArgument(`Cannot pull from ${address}: this is no address`);
	return new URL(address).origin;
}

const hostOf = (name: string): string => name.split('/', 1)[0] ?? name;

/** Whether a host (with or without a port) is this machine. */
export function isLoopback(host: string): boolean {
	const bare = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d+$/, '');
	return (
		bare === 'localhost' ||
		bare.endsWith('.localhost') ||
		bare === '::1' ||
		(isIPv4(bare) && bare.startsWith('127.'))
	);
}
