/** nfnetlink messages for nf_tables (linux/netfilter/nf_tables.h). Numbers in attributes are in network order. */
import {
	type Attributes,
	attributesAfter,
	listAttributes,
	readAttributes,
	readBe32,
	readMessages,
	readString,
} from './reader.ts';
import { netfilterStep } from './step.ts';
import { type NetlinkWriter, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP } from './writer.ts';

const SUBSYSTEM = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFPROTO_UNSPEC = 0;
const NFPROTO_INET = 1;
const MESSAGE = {
	NEWTABLE: 0,
	GETTABLE: 1,
	DELTABLE: 2,
	NEWCHAIN: 3,
	GETCHAIN: 4,
	NEWRULE: 6,
	NEWSET: 9,
	NEWSETELEM: 12,
	GETSETELEM: 13,
	DELSETELEM: 14,
} as const;
/** Where a base chain hooks in (NF_INET_*). */
export const HOOK = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
/** Type numbers that `nft list` shows keys and values by (its own, not the kernel's). */
const DATATYPE = { ipv4_addr: 7, ipv6_addr: 8, inet_proto: 12, inet_service: 13 } as const;
const DATATYPE_BITS = 6;
const FIELD_BYTES = { ipv4_addr: 4, ipv6_addr: 16, inet_proto: 4, inet_service: 4 } as const;
const NFT_SET_MAP = 8;
const COMMENT = 0;

export type Field = keyof typeof DATATYPE;
/** Writes one element of a rule's expression list. */
export type Expression = (writer: NetlinkWriter) => void;

export interface BaseChain {
	readonly type: 'nat' | 'filter';
	readonly hook: keyof typeof HOOK;
	readonly priority: number;
}
export interface MapShape {
	readonly name: string;
	readonly key: readonly Field[];
	readonly value: readonly Field[];
}
/** Key and value as the kernel lays them out: each field padded to 4 bytes. */
export interface MapElement {
	readonly key: Buffer;
	readonly value: Buffer;
	readonly comment: string;
}

/** What a transaction does, all or nothing. */
export class Batch {
	readonly #writer: NetlinkWriter;
	readonly #table: string;
	#id = 0;

	constructor(writer: NetlinkWriter, table: string) {
		this.#writer = writer;
		this.#table = table;
	}

	table(comment = ''): void {
		this.#message(MESSAGE.NEWTABLE, NLM_F_CREATE, (writer) => {
			writer.string(1, this.#table);
			writeComment(writer, 6, comment);
		});
	}
	deleteTable(): void {
		this.#message(MESSAGE.DELTABLE, 0, (writer) => writer.string(1, this.#table));
	}
	chain(name: string, base?: BaseChain): void {
		this.#message(MESSAGE.NEWCHAIN, NLM_F_CREATE, (writer) => {
			writer.string(1, this.#table);
			writer.string(3, name);
			if (base === undefined) return;
			writer.nested(4, () => {
				writer.attributeBe32(1, HOOK[base.hook]);
				writer.attributeBe32(2, base.priority);
			});
			writer.string(7, base.type);
		});
	}
	map({ name, key, value }: MapShape): void {
		this.#message(MESSAGE.NEWSET, NLM_F_CREATE, (writer) => {
			writer.string(1, this.#table);
			writer.string(2, name);
			writer.attributeBe32(3, NFT_SET_MAP);
			writer.attributeBe32(4, datatype(key));
			writer.attributeBe32(5, width(key));
			writer.attributeBe32(6, datatype(value));
			writer.attributeBe32(7, width(value));
			writer.attributeBe32(10, ++this.#id);
		});
	}
	rule(chain: string, comment: string, expressions: readonly Expression[]): void {
		const NLM_F_APPEND = 0x800;
		this.#message(MESSAGE.NEWRULE, NLM_F_CREATE | NLM_F_APPEND, (writer) => {
			writer.string(1, this.#table);
			writer.string(2, chain);
			writer.nested(4, () => {
				for (const expression of expressions) expression(writer);
			});
			writeComment(writer, 7, comment);
		});
	}
	addElements(map: string, elements: readonly MapElement[]): void {
		if (elements.length > 0)
			this.#message(MESSAGE.NEWSETELEM, NLM_F_CREATE, () => this.#elements(map, elements));
	}
	/** An element that is missing fails the transaction: add it first where that can be. */
	deleteElements(map: string, elements: readonly MapElement[]): void {
		if (elements.length > 0) this.#message(MESSAGE.DELSETELEM, 0, () => this.#elements(map, elements));
	}

	#elements(map: string, elements: readonly MapElement[]): void {
		const writer = this.#writer;
		writer.string(1, this.#table);
		writer.string(2, map);
		writer.nested(3, () => {
			for (const { key, value, comment } of elements)
				writer.nested(1, () => {
					writer.nested(1, () => writer.bytes(1, key));
					writer.nested(2, () => writer.bytes(1, value));
					writeComment(writer, 6, comment);
				});
		});
	}
	#message(type: number, flags: number, body: (writer: NetlinkWriter) => void): void {
		this.#writer.message((SUBSYSTEM << 8) | type, flags | NLM_F_ACK, () => {
			header(this.#writer, NFPROTO_INET, 0);
			body(this.#writer);
		});
	}
}

/** One transaction on an inet table as a step of a network plan. */
export const transaction = (
	label: string,
	table: string,
	build: (batch: Batch) => void,
	tolerate: readonly number[] = [],
) =>
	netfilterStep(
		label,
		(writer) => {
			writer.message(NFNL_MSG_BATCH_BEGIN, 0, () => header(writer, NFPROTO_UNSPEC, SUBSYSTEM));
			build(new Batch(writer, table));
			writer.message(NFNL_MSG_BATCH_END, 0, () => header(writer, NFPROTO_UNSPEC, SUBSYSTEM));
		},
		tolerate,
	);

/** Asks for the names of all inet tables. */
export const listTables = () =>
	netfilterStep('list tables', (writer) =>
		writer.message((SUBSYSTEM << 8) | MESSAGE.GETTABLE, NLM_F_DUMP, () => header(writer, NFPROTO_INET, 0)),
	);

/** The names that the reply to listTables tells. */
export const readTableNames = (reply: Uint8Array): string[] =>
	readMessages(reply)
		.filter(({ type }) => type === ((SUBSYSTEM << 8) | MESSAGE.NEWTABLE))
		.map(({ body }) => readString(attributesAfter(HEADER_BYTES, body).get(1)));

/** struct nfgenmsg. */
const HEADER_BYTES = 4;
const FAMILY_NAME = new Map([
	[NFPROTO_INET, 'inet'],
	[2, 'ip'],
	[10, 'ip6'],
]);

/** Asks for the chains of all tables. */
export const listBaseChains = () =>
	netfilterStep('list chains', (writer) =>
		writer.message((SUBSYSTEM << 8) | MESSAGE.GETCHAIN, NLM_F_DUMP, () => header(writer, NFPROTO_UNSPEC, 0)),
	);

export interface FoundChain {
	/** `inet`, `ip` or `ip6`. */
	readonly family: string;
	readonly table: string;
	readonly name: string;
	/** One of HOOK. */
	readonly hook: number;
	/** NF_DROP 0, NF_ACCEPT 1. */
	readonly policy: number;
}

/** The base chains of IP families that the reply to listBaseChains tells. */
export const readBaseChains = (reply: Uint8Array): FoundChain[] =>
	readMessages(reply)
		.filter(({ type }) => type === ((SUBSYSTEM << 8) | MESSAGE.NEWCHAIN))
		.flatMap(({ body }) => readBaseChain(attributesAfter(HEADER_BYTES, body), FAMILY_NAME.get(body[0] ?? 0)));

function readBaseChain(attributes: Attributes, family: string | undefined): FoundChain[] {
	const hook = attributes.get(4);
	const policy = readBe32(attributes.get(5));
	if (family === undefined || hook === undefined || policy === undefined) return [];
	return [
		{
			family,
			table: readString(attributes.get(1)),
			name: readString(attributes.get(3)),
			hook: readBe32(readAttributes(hook).get(1)) ?? -1,
			policy,
		},
	];
}

/** Asks for the elements of a map. */
export const listElements = (table: string, map: string) =>
	netfilterStep(`list map ${map} of table inet ${table}`, (writer) =>
		writer.message((SUBSYSTEM << 8) | MESSAGE.GETSETELEM, NLM_F_DUMP, () => {
			header(writer, NFPROTO_INET, 0);
			writer.string(1, table);
			writer.string(2, map);
		}),
	);

/** The elements that the reply to listElements tells. */
export function readElements(reply: Uint8Array): MapElement[] {
	return readMessages(reply)
		.filter(({ type }) => type === ((SUBSYSTEM << 8) | MESSAGE.NEWSETELEM))
		.flatMap(({ body }) => listAttributes(attributesAfter(HEADER_BYTES, body).get(3) ?? Buffer.alloc(0)))
		.map(([, element]) => readElement(readAttributes(element)));
}

function readElement(attributes: Attributes): MapElement {
	const data = (type: number) =>
		readAttributes(attributes.get(type) ?? Buffer.alloc(0)).get(1) ?? Buffer.alloc(0);
	return { key: data(1), value: data(2), comment: readString(attributes.get(6)?.subarray(2)) };
}

function header(writer: NetlinkWriter, family: number, resource: number): void {
	writer.u8(family);
	writer.u8(0);
	writer.be16(resource);
}

/** User data that `nft list` shows as a comment: type, length with NUL, text. */
function writeComment(writer: NetlinkWriter, attribute: number, comment: string): void {
	if (comment === '') return;
	const text = Buffer.from(`${cut(comment)}\0`);
	writer.bytes(attribute, Buffer.concat([Buffer.from([COMMENT, text.length]), text]));
}

/** nft takes comments of 128 bytes. */
const cut = (text: string): string =>
	Buffer.from(text)
		.subarray(0, 120)
		.toString('utf8')
		.replace(/\uFFFD+$/, '');

const datatype = (fields: readonly Field[]): number =>
	fields.reduce((type, field) => (type << DATATYPE_BITS) | DATATYPE[field], 0);
const width = (fields: readonly Field[]): number =>
	fields.reduce((sum, field) => sum + FIELD_BYTES[field], 0);
