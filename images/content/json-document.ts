import { dataLoss } from '#base/errors.ts';

/** A JSON object that came from elsewhere, read field by field: null counts as absent, a wrong type is DATA_LOSS. */
export class JsonDocument {
	readonly #fields: Readonly<Record<string, unknown>>;
	readonly #where: string;

	private constructor(fields: Readonly<Record<string, unknown>>, where: string) {
		this.#fields = fields;
		this.#where = where;
	}

	/** `where` names the document in errors: `manifest sha256:…`. */
	static parse(bytes: Uint8Array | string, where: string): JsonDocument {
		let value: unknown;
		try {
			value = JSON.parse(
				typeof bytes === 'string' ? bytes : new TextDecoder('utf-8', { fatal: true }).decode(bytes),
			);
		} catch (error) {
			throw dataLoss(`Cannot read ${where}: it is no JSON`, { cause: error });
		}
		return JsonDocument.#wrap(value, where);
	}

	static #wrap(value: unknown, where: string): JsonDocument {
		if (typeof value !== 'object' || value === null || Array.isArray(value)) {
			throw dataLoss(`Cannot read ${where}: it is no JSON object`);
		}
		return new JsonDocument(value as Record<string, unknown>, where);
	}

	has(key: string): boolean {
		return Object.hasOwn(this.#fields, key) && this.#fields[key] !== null;
	}

	/** A string, '' when absent. */
	text(key: string): string {
		const value = this.#get(key);
		if (value === undefined) return '';
		return typeof value === 'string' ? value : this.#wrong(key, 'a string');
	}

	/** A string that must be there. */
	requiredText(key: string): string {
		const value = this.text(key);
		return value === '' ? this.#wrong(key, 'a string that is not empty') : value;
	}

	/** A whole number of zero or more; undefined when absent. */
	count(key: string): number | undefined {
		const value = this.#get(key);
		if (value === undefined) return undefined;
		return Number.isSafeInteger(value) && (value as number) >= 0
			? (value as number)
			: this.#wrong(key, 'a whole number');
	}

	flag(key: string): boolean {
		const value = this.#get(key);
		if (value === undefined) return false;
		return typeof value === 'boolean' ? value : this.#wrong(key, 'true or false');
	}

	texts(key: string): string[] {
		return this.#list(key).map((item) =>
			typeof item === 'string' ? item : this.#wrong(key, 'a list of strings'),
		);
	}

	/** A map of strings; a copy without a prototype's surprises. */
	textMap(key: string): Record<string, string> {
		const value = this.#get(key);
		if (value === undefined) return {};
		if (typeof value !== 'object' || Array.isArray(value)) return this.#wrong(key, 'an object of strings');
		const entries = Object.entries(value as object);
		if (entries.some(([, text]) => typeof text !== 'string')) return this.#wrong(key, 'an object of strings');
		return Object.fromEntries(entries) as Record<string, string>;
	}

	/** The keys of an object whose values do not matter (`Volumes`). */
	keys(key: string): string[] {
		const value = this.#get(key);
		if (value === undefined) return [];
		return typeof value === 'object' && !Array.isArray(value)
			? Object.keys(value as object)
			: this.#wrong(key, 'an object');
	}

	object(key: string): JsonDocument | undefined {
		const value = this.#get(key);
		return value === undefined ? undefined : JsonDocument.#wrap(value, `${this.#where}, ${key}`);
	}

	requiredObject(key: string): JsonDocument {
		return this.object(key) ?? this.#wrong(key, 'an object');
	}

	objects(key: string): JsonDocument[] {
		return this.#list(key).map((item, index) => JsonDocument.#wrap(item, `${this.#where}, ${key}[${index}]`));
	}

	#get(key: string): unknown {
		return this.has(key) ? this.#fields[key] : undefined;
	}

	#list(key: string): unknown[] {
		const value = this.#get(key);
		if (value === undefined) return [];
		return Array.isArray(value) ? value : this.#wrong(key, 'a list');
	}

	#wrong(key: string, wanted: string): never {
		throw dataLoss(`Cannot read ${this.#where}: "${key}" must be ${wanted}`);
	}
}
