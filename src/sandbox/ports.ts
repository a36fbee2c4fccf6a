import { isIP } from 'node:net';
import { invalidArgument } from '#base/errors.ts';
import type { PortMapping as CriPortMapping } from '#cri-api';
import type { PortMapping } from '../network/types.ts';

const PROTOCOLS = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const;

/** The port mappings of a request, checked. */
export function portMappings(mappings: readonly CriPortMapping[]): readonly PortMapping[] {
	const taken = new Set<string>();
	return mappings.map((mapping, index) => {
		const field = `port_mappings[${index}]`;
		const port = portMapping(field, mapping);
		const key = `${port.hostIp} ${port.hostPort}/${port.protocol}`;
		if (port.hostPort !== 0 && taken.has(key))
			throw invalidArgument(`${field} maps host port ${port.hostPort} a second time`);
		taken.add(key);
		return port;
	});
}

function portMapping(field: string, mapping: CriPortMapping): PortMapping {
	const { container_port: containerPort, host_port: hostPort, host_ip: hostIp } = mapping;
	if (containerPort < 1 || containerPort > 65535)
		throw invalidArgument(`${field}.container_port is ${containerPort}, expected 1 to 65535`);
	if (hostPort < 0 || hostPort > 65535)
		throw invalidArgument(`${field}.host_port is ${hostPort}, expected 0 (not mapped) to 65535`);
	if (hostIp !== '' && isIP(hostIp) === 0)
		throw invalidArgument(`${field}.host_ip ${JSON.stringify(hostIp)} is no IP address`);
	return { protocol: PROTOCOLS[mapping.protocol], containerPort, hostPort, hostIp };
}
