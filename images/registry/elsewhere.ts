import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { SourceFailure } from './failure.ts';

/**
 * Addresses of the machine and its link only, where clouds tell credentials to whoever asks. A registry that is
 * named by a user or by registries.conf may lie there; one that sends us there is refused.
 */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16, 'ipv4');
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');
LINK_LOCAL.addAddress('fd00:ec2::254', 'ipv6');

const isLinkLocal = (address: string): boolean =>
	isIP(address) !== 0 && LINK_LOCAL.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

const refused = (host: string) =>
	new SourceFailure('PERMISSION_DENIED', `it sends us to ${host}, a link-local address; refused`);

/** PERMISSION_DENIED for an address in the URL itself: those are not looked up. */
export function refuseLinkLocal({ hostname, host }: URL): void {
	if (isLinkLocal(hostname.replace(/^\[|\]$/g, ''))) throw refused(host);
}

/** As dns.lookup, for hosts that a registry sends us to. */
export function lookUpElsewhere(resolve: LookupFunction = lookup as LookupFunction): LookupFunction {
	return (hostname, options, done) =>
		resolve(hostname, options, (error, found, family) => {
			const addresses = Array.isArray(found) ? found.map(({ address }) => address) : [found];
			if (error === null && addresses.some(isLinkLocal)) done(refused(hostname), '', 0);
			else done(error, found, family);
		});
}
