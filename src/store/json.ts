import { dataLoss } from '#base/errors.ts';

const BIGINT = '$bigint';
const BYTES = '$bytes';
/** A key that begins with it is written with one more, so that nobody's label is taken for one of the above. */
const MARK = '$';

type Fields = Readonly<Record<string, unknown>>;

/** JSON in which 64-bit integers and bytes come back as what they were. */
export function toJson(value: unknown): string {
	return JSON.stringify(value, function (this: Record<string, unknown>, key, item) {
		// A Buffer has been through its toJSON already, so look at what the holder has.
		const raw = this[key];
		if (typeof raw === 'bigint') return { [BIGINT]: raw.toString() };
		if (raw instanceof Uint8Array) return { [BYTES]: Buffer.from(raw).toString('base64') };
		return hasKeyWith(item, MARK)
			? renamed(item, (name) => (name.startsWith(MARK) ? MARK + name : name))
			: item;
	});
}

/** The inverse of `toJson`. DATA_LOSS when it is no JSON. */
export function fromJson(text: string): unknown {
	try {
		return JSON.parse(text, (_key, item) => {
			if (typeof item?.[BIGINT] === 'string') return BigInt(item[BIGINT]);
			if (typeof item?.[BYTES] === 'string') return Buffer.from(item[BYTES], 'base64');
			const escaped = hasKeyWith(item, MARK + MARK);
			return escaped
				? renamed(item, (name) => (name.startsWith(MARK) ? name.slice(MARK.length) : name))
				: item;
		});
	} catch (error) {
		throw dataLoss('it is not JSON', { cause: error });
	}
}

function hasKeyWith(item: unknown, prefix: string): item is Fields {
	if (typeof item !== 'object' || item === null || Array.isArray(item)) return false;
	return Object.keys(item).some((key) => key.startsWith(prefix));
}

function renamed(fields: Fields, rename: (name: string) => string): Fields {
	return Object.fromEntries(Object.entries(fields).map(([key, value]) => [rename(key), value]));
}
