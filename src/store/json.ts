import { dataLoss } from '#base/errors.ts';

const BIGINT = '$bigint';
const BYTES = '$bytes';

/** JSON in which 64-bit integers and bytes come back as what they were. */
export function toJson(value: unknown): string {
	return JSON.stringify(value, function (this: Record<string, unknown>, key, item) {
		// A Buffer has been through its toJSON already, so look at what the holder has.
		const raw = key === '' ? item : this[key];
		if (typeof raw === 'bigint') return { [BIGINT]: raw.toString() };
		if (raw instanceof Uint8Array) return { [BYTES]: Buffer.from(raw).toString('base64') };
		return item;
	});
}

/** The inverse of `toJson`. DATA_LOSS when it is no JSON. */
export function fromJson(text: string): unknown {
	try {
		return JSON.parse(text, (_key, item) => {
			if (typeof item?.[BIGINT] === 'string') return BigInt(item[BIGINT]);
			if (typeof item?.[BYTES] === 'string') return Buffer.from(item[BYTES], 'base64');
			return item;
		});
	} catch (error) {
		throw dataLoss('it is not JSON', { cause: error });
	}
}
