import type { OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { hasNamespace, refuse } from './context.ts';

/** hostname and domainname, in a UTS namespace of the container's own: never the node's. */
export function hostnameOps(spec: OciSpec): Op[] {
	const { hostname = '', domainname = '' } = spec;
	if (hostname === '' && domainname === '') return [];
	const field = hostname === '' ? 'domainname' : 'hostname';
	if (!hasNamespace(spec, 'uts')) throw refuse(field, 'it needs a uts namespace');
	if (Buffer.byteLength(hostname) > 64) throw refuse('hostname', 'longer than 64 bytes');
	if (Buffer.byteLength(domainname) > 64) throw refuse('domainname', 'longer than 64 bytes');
	return [{ op: 'hostname', hostname, domain: domainname }];
}
