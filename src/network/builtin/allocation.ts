/** What a sandbox holds of the built-in network: the `data` of its result, and all that detaching needs. */
import { dataLoss } from '#base/errors.ts';
import { integer, list, object, oneOf, text } from '../../store/shape.ts';
import { type Address, type Family, formatAddress, maskOf, parseAddress, type Subnet } from '../ip.ts';
import { type HostPort, hostPortsOf } from '../port-mappings.ts';
import type { PortMapping } from '../types.ts';

export interface Allocation {
	readonly sandboxId: string;
	/** `namespace/name`, for messages and comments. */
	readonly pod: string;
	/** At most one per family, IPv4 first. */
	readonly addresses: readonly { readonly address: Address; readonly subnet: Subnet }[];
	readonly portMappings: readonly PortMapping[];
}

/** The JSON form, versioned. */
export interface AllocationData {
	readonly version: 1;
	readonly sandboxId: string;
	readonly pod: string;
	/** `10.85.0.3/16`. */
	readonly addresses: readonly string[];
	readonly portMappings: readonly PortMapping[];
}

export const familiesOf = (allocation: Pick<Allocation, 'addresses'>): Family[] =>
	allocation.addresses.map(({ address }) => address.family);

export const portsOf = (allocation: Allocation): HostPort[] =>
	hostPortsOf(allocation.portMappings, familiesOf(allocation));

export const encodeAllocation = ({
	sandboxId,
	pod,
	addresses,
	portMappings,
}: Allocation): AllocationData => ({
	version: 1,
	sandboxId,
	pod,
	addresses: addresses.map(({ address, subnet }) => `${formatAddress(address)}/${subnet.length}`),
	portMappings,
});

const portMappingsShape = list(
	object<PortMapping>({
		protocol: oneOf('tcp', 'udp', 'sctp'),
		hostPort: integer,
		containerPort: integer,
		hostIp: text,
	}),
);

/** DATA_LOSS when the data is not what encodeAllocation made of this sandbox's. */
export function decodeAllocation(data: unknown, of: string): Allocation {
	const { version, sandboxId, pod, addresses, portMappings } = (data ?? {}) as Partial<AllocationData>;
	if (
		version !== 1 ||
		sandboxId !== of ||
		typeof pod !== 'string' ||
		!Array.isArray(addresses) ||
		!Array.isArray(portMappings)
	)
		throw dataLoss(
			'The network record of a sandbox cannot be read: it has another form than this version writes',
		);
	const allocation = {
		sandboxId,
		pod,
		addresses: addresses.map(interfaceAddress),
		portMappings: portMappingsShape(portMappings, 'portMappings'),
	};
	portsOf(allocation);
	return allocation;
}

function interfaceAddress(value: unknown): { address: Address; subnet: Subnet } {
	const [, addressText = '', lengthText = ''] = /^([^/]+)\/(\d+)$/.exec(text(value, 'addresses')) ?? [];
	const address = parseAddress(addressText);
	const length = Number(lengthText);
	if (address === undefined || length > (address.family === 4 ? 32 : 128))
		throw dataLoss(`The network record of a sandbox cannot be read: ${JSON.stringify(value)} is no address`);
	return {
		address,
		subnet: { family: address.family, base: address.value & maskOf(address.family, length), length },
	};
}
