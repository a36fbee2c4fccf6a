/** The expressions of nf_tables rules that our table uses. Names and registers as `nft --debug=netlink` shows them. */
import { bitsOf, maskOf, type Subnet } from '../ip.ts';
import type { Expression } from './nftables.ts';
import type { NetlinkWriter } from './writer.ts';

/** Register 1 is 16 bytes wide; 8 + n is its (and the next ones') n-th word of 4 bytes. */
const REGISTER_1 = 1;
export const wordRegister = (word: number): number => (word === 0 ? REGISTER_1 : 8 + word);

const META = { iifname: 6, oifname: 7, nfproto: 15, l4proto: 16 } as const;
const IFNAME_BYTES = 16;
const NFPROTO = { 4: 2, 6: 10 } as const;
const BASE = { network: 1, transport: 2 } as const;
const EQUAL = 0;
const NOT_EQUAL = 1;
const FIB_RESULT_ADDRTYPE = 3;
const FIB_DADDR = 2;
const RTN_LOCAL = 2;
const CT_STATUS = 2;
const IPS_DST_NAT = 1 << 5;
const DNAT = 1;
const VERDICT = { drop: 0, jump: -3, return: -5 } as const;

const expression = (name: string, body: (writer: NetlinkWriter) => void): Expression => {
	return (writer) =>
		writer.nested(1, () => {
			writer.string(1, name);
			writer.nested(2, () => body(writer));
		});
};

const compare = (value: Uint8Array, operator = EQUAL): Expression =>
	expression('cmp', (writer) => {
		writer.attributeBe32(1, REGISTER_1);
		writer.attributeBe32(2, operator);
		writer.nested(3, () => writer.bytes(1, value));
	});

const loadMeta = (key: keyof typeof META): Expression =>
	expression('meta', (writer) => {
		writer.attributeBe32(1, REGISTER_1);
		writer.attributeBe32(2, META[key]);
	});

const loadPayload = (base: keyof typeof BASE, offset: number, length: number, register: number): Expression =>
	expression('payload', (writer) => {
		writer.attributeBe32(1, register);
		writer.attributeBe32(2, BASE[base]);
		writer.attributeBe32(3, offset);
		writer.attributeBe32(4, length);
	});

const mask = (bytes: Uint8Array): Expression =>
	expression('bitwise', (writer) => {
		writer.attributeBe32(1, REGISTER_1);
		writer.attributeBe32(2, REGISTER_1);
		writer.attributeBe32(3, bytes.length);
		writer.nested(4, () => writer.bytes(1, bytes));
		writer.nested(5, () => writer.bytes(1, new Uint8Array(bytes.length)));
	});

const verdict = (code: number, chain?: string): Expression =>
	expression('immediate', (writer) => {
		writer.attributeBe32(1, 0);
		writer.nested(2, () =>
			writer.nested(2, () => {
				writer.attributeBe32(1, code);
				if (chain !== undefined) writer.string(2, chain);
			}),
		);
	});

const nameBytes = (name: string): Buffer => Buffer.concat([Buffer.from(name)], IFNAME_BYTES);

export const inputInterfaceIs = (name: string): Expression[] => [
	loadMeta('iifname'),
	compare(nameBytes(name)),
];
export const outputInterfaceIs = (name: string, not = false): Expression[] => [
	loadMeta('oifname'),
	compare(nameBytes(name), not ? NOT_EQUAL : EQUAL),
];
export const familyIs = (family: 4 | 6): Expression[] => [
	loadMeta('nfproto'),
	compare(Buffer.from([NFPROTO[family]])),
];

const offsetOf = (side: 'source' | 'destination', family: 4 | 6): number =>
	family === 4 ? (side === 'source' ? 12 : 16) : side === 'source' ? 8 : 24;

/** The source or destination address lies in (or, with `not`, outside) a network. The family must have been checked before. */
export function addressIn(side: 'source' | 'destination', subnet: Subnet, not = false): Expression[] {
	const bytes = bitsOf(subnet.family) / 8;
	const asBytes = (value: bigint) => Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex');
	return [
		loadPayload('network', offsetOf(side, subnet.family), bytes, REGISTER_1),
		...(subnet.length === bytes * 8 ? [] : [mask(asBytes(maskOf(subnet.family, subnet.length)))]),
		compare(asBytes(subnet.base), not ? NOT_EQUAL : EQUAL),
	];
}

/** The destination is an address of this node. */
export const destinationIsLocal: readonly Expression[] = [
	expression('fib', (writer) => {
		writer.attributeBe32(1, REGISTER_1);
		writer.attributeBe32(2, FIB_RESULT_ADDRTYPE);
		writer.attributeBe32(3, FIB_DADDR);
	}),
	compare(Buffer.from([RTN_LOCAL, 0, 0, 0])),
];

/** The connection's destination was rewritten. */
export const isDestinationNat: readonly Expression[] = [
	expression('ct', (writer) => {
		writer.attributeBe32(1, REGISTER_1);
		writer.attributeBe32(2, CT_STATUS);
	}),
	mask(Buffer.from([IPS_DST_NAT, 0, 0, 0])),
	compare(new Uint8Array(4), NOT_EQUAL),
];

/** Rewrites the destination to what a map says for protocol . [address .] port; packets that it does not name go on. */
export function destinationNatByMap(map: string, family: 4 | 6, withAddress: boolean): Expression[] {
	const words = family === 4 ? 1 : 4;
	const address = withAddress
		? [loadPayload('network', offsetOf('destination', family), words * 4, wordRegister(1))]
		: [];
	return [
		loadMeta('l4proto'),
		...address,
		loadPayload('transport', 2, 2, wordRegister(withAddress ? 1 + words : 1)),
		expression('lookup', (writer) => {
			writer.string(1, map);
			writer.attributeBe32(2, REGISTER_1);
			writer.attributeBe32(3, REGISTER_1);
		}),
		expression('nat', (writer) => {
			writer.attributeBe32(1, DNAT);
			writer.attributeBe32(2, NFPROTO[family]);
			writer.attributeBe32(3, REGISTER_1);
			writer.attributeBe32(5, wordRegister(words));
		}),
	];
}

export const masquerade: Expression = expression('masq', () => {});
export const drop: Expression = verdict(VERDICT.drop);
/** Leaves the chain. */
export const leave: Expression = verdict(VERDICT.return);
export const jump = (chain: string): Expression => verdict(VERDICT.jump, chain);
