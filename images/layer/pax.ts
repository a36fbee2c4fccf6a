import type { ByteString } from './bytes.ts';

/** Records of a PAX extended header (POSIX pax, "Extended Header"): keys and values as bytes. */
export type PaxRecords = Readonly<Record<string, ByteString>>;

/** Attributes of one file or folder; more would only be copied from header to header. */
const MAX_RECORDS = 1024;
const SPACE = 0x20;
const NEWLINE = 0x0a;

/** Throws an Error saying what is wrong; a header is taken whole or not at all. */
export function parsePax(data: Buffer): PaxRecords {
	const records: Record<string, string> = Object.create(null);
	let at = 0;
	for (let count = 0; at < data.length; count++) {
		if (count === MAX_RECORDS) throw new Error(`a PAX record is one of more than ${MAX_RECORDS}`);
		const space = data.indexOf(SPACE, at);
		const digits = space === -1 ? '' : data.toString('latin1', at, space);
		const length = /^[0-9]{1,8}$/.test(digits) ? Number(digits) : 0;
		const end = at + length;
		if (length <= digits.length + 2 || end > data.length || data[end - 1] !== NEWLINE)
			throw new Error('a PAX record has a wrong length');
		const record = data.toString('latin1', space + 1, end - 1);
		const equals = record.indexOf('=');
		if (equals < 1) throw new Error('a PAX record has no key');
		records[record.slice(0, equals)] = record.slice(equals + 1);
		at = end;
	}
	return records;
}

/** Seconds with a fraction (`1700000000.123456789`, may be negative) as nanoseconds; undefined when it is no time. */
export function parsePaxTime(text: string): bigint | undefined {
	const match = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(text);
	if (match === null) return undefined;
	const [, sign, seconds = '0', fraction = ''] = match;
	const ns = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
	return sign === '-' ? -ns : ns;
}
