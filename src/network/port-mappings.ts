/** Host ports as the request says them, checked. */
import { invalidArgument } from '#base/errors.ts';
import { type Address, type Family, formatAddress, parseAddress } from './ip.ts';
import type { PortMapping } from './types.ts';

/** One host port, in one family. */
export interface HostPort {
	readonly family: Family;
	readonly protocol: PortMapping['protocol'];
	/** undefined: every address of the node in this family. */
	readonly hostAddress: Address | undefined;
	readonly hostPort: number;
	readonly containerPort: number;
}

const PROTOCOLS: readonly string[] = ['tcp', 'udp', 'sctp'];
const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65535;

/**
 * The host ports that a sandbox asks for in the families that it has. Mappings without a host port ask for
 * nothing. INVALID_ARGUMENT for ports, protocols and addresses that are none, and for a host IP of a family
 * that the pod does not have.
 */
export function hostPortsOf(mappings: readonly PortMapping[], families: readonly Family[]): HostPort[] {
	return mappings.filter(({ hostPort }) => hostPort !== 0).flatMap((mapping) => expand(mapping, families));
}

function expand(mapping: PortMapping, families: readonly Family[]): HostPort[] {
	const { protocol, hostPort, containerPort, hostIp } = mapping;
	const what = `Cannot map host port ${hostPort} to container port ${containerPort}/${protocol}`;
	if (!PROTOCOLS.includes(protocol)) throw invalidArgument(`${what}: the protocol must be tcp, udp or sctp`);
	if (!isPort(hostPort) || !isPort(containerPort))
		throw invalidArgument(`${what}: a port is a number from 1 to 65535`);
	const common = { protocol, hostPort, containerPort };
	if (hostIp === '') return families.map((family) => ({ ...common, family, hostAddress: undefined }));
	const address = parseAddress(hostIp);
	if (address === undefined)
		throw invalidArgument(`${what}: the host IP ${JSON.stringify(hostIp)} is no IP address`);
	if (!families.includes(address.family))
		throw invalidArgument(
			`${what}: the host IP is IPv${address.family}, but pods here have only IPv${families.join(', IPv')}`,
		);
	return [{ ...common, family: address.family, hostAddress: address.value === 0n ? undefined : address }];
}

/** Whether two host ports would take the same packets. */
export function collide(one: HostPort, other: HostPort): boolean {
	return (
		one.family === other.family &&
		one.protocol === other.protocol &&
		one.hostPort === other.hostPort &&
		(one.hostAddress === undefined ||
			other.hostAddress === undefined ||
			one.hostAddress.value === other.hostAddress.value)
	);
}

/** `0.0.0.0:8080/tcp`, for people. */
export function hostPortText({ family, hostAddress, hostPort, protocol }: HostPort): string {
	const any = family === 4 ? '0.0.0.0' : '::';
	const address = hostAddress === undefined ? any : formatAddress(hostAddress);
	return `${family === 6 ? `[${address}]` : address}:${hostPort}/${protocol}`;
}
