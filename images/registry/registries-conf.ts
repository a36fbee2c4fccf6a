import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { errnoOf, failedPrecondition, fromSystemError, messageOf } from '#base/errors.ts';

/** When a mirror is asked (containers-registries.conf(5), `pull-from-mirror`). */
export type PullFromMirror = 'all' | 'digest-only' | 'tag-only';

export interface MirrorRule {
	readonly location: string;
	readonly insecure: boolean;
	readonly pullFromMirror: PullFromMirror;
}

/** One `[[registry]]` table. */
export interface RegistryRule {
	/** `docker.io/library`, or `*.example.com` for every host below. */
	readonly prefix: string;
	/** What the prefix is replaced by; undefined: it stays. */
	readonly location: string | undefined;
	readonly insecure: boolean;
	readonly blocked: boolean;
	readonly mirrors: readonly MirrorRule[];
}

type Table = Readonly<Record<string, unknown>>;

/** Top-level keys about short names: read and not used, since short names always mean docker.io here. */
const SHORT_NAME_KEYS = ['unqualified-search-registries', 'short-name-mode', 'aliases'];
const TOP_KEYS = [...SHORT_NAME_KEYS, 'registry', 'credential-helpers'];
const REGISTRY_KEYS = ['prefix', 'location', 'insecure', 'blocked', 'mirror', 'mirror-by-digest-only'];
const MIRROR_KEYS = ['location', 'insecure', 'pull-from-mirror'];

/** The rules of a registries.conf; none when the file is missing. */
export async function readRegistriesConf(path: string): Promise<RegistryRule[]> {
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return [];
		throw fromSystemError(`Cannot read ${path}`, error);
	}
	return parseRegistriesConf(text, path);
}

/** FAILED_PRECONDITION naming file and key for whatever we would have to ignore. */
export function parseRegistriesConf(text: string, path: string): RegistryRule[] {
	let document: Table;
	try {
		document = parse(text);
	} catch (error) {
		const line = error instanceof TomlError ? `:${error.line}` : '';
		throw failedPrecondition(`Cannot read ${path}${line}: ${messageOf(error).split('\n', 1)[0]}`);
	}
	const reader = new TableReader(path);
	if (document.registries !== undefined)
		throw reader.wrong('[registries.…] is the old version 1; write [[registry]] tables (version 2)');
	reader.onlyKeys(document, TOP_KEYS, 'the top level');
	const helpers = document['credential-helpers'];
	if (Array.isArray(helpers) && helpers.length > 0)
		throw reader.wrong('credential-helpers are not supported; remove the key');
	return reader.tables(document, 'registry', '[[registry]]').map((table) => registryRule(table, reader));
}

function registryRule(table: Table, reader: TableReader): RegistryRule {
	reader.onlyKeys(table, REGISTRY_KEYS, '[[registry]]');
	const location = reader.location(table, 'location', '[[registry]]');
	const prefix = reader.location(table, 'prefix', '[[registry]]') ?? location;
	if (prefix === undefined) throw reader.wrong('a [[registry]] needs "prefix" or "location"');
	if (prefix.includes('*') && !/^\*\.[^*/]+$/.test(prefix))
		throw reader.wrong(`prefix "${prefix}": a wildcard is "*.example.com"`);
	const fallback = reader.flag(table, 'mirror-by-digest-only', prefix) ? 'digest-only' : 'all';
	return {
		prefix,
		location: location === prefix ? undefined : location,
		insecure: reader.flag(table, 'insecure', prefix),
		blocked: reader.flag(table, 'blocked', prefix),
		mirrors: reader
			.tables(table, 'mirror', '[[registry.mirror]]')
			.map((mirror) => mirrorRule(mirror, fallback, reader)),
	};
}

function mirrorRule(table: Table, fallback: PullFromMirror, reader: TableReader): MirrorRule {
	reader.onlyKeys(table, MIRROR_KEYS, '[[registry.mirror]]');
	const location = reader.location(table, 'location', '[[registry.mirror]]');
	if (location === undefined) throw reader.wrong('a [[registry.mirror]] needs "location"');
	const when = table['pull-from-mirror'] ?? fallback;
	if (when !== 'all' && when !== 'digest-only' && when !== 'tag-only') {
		throw reader.wrong(`pull-from-mirror of "${location}" must be "all", "digest-only" or "tag-only"`);
	}
	return { location, insecure: reader.flag(table, 'insecure', location), pullFromMirror: when };
}

class TableReader {
	readonly #path: string;
	constructor(path: string) {
		this.#path = path;
	}

	wrong(why: string) {
		return failedPrecondition(`Cannot use ${this.#path}: ${why}`);
	}

	onlyKeys(table: Table, known: readonly string[], where: string): void {
		const unknown = Object.keys(table).find((key) => !known.includes(key));
		if (unknown !== undefined)
			throw this.wrong(`unknown key "${unknown}" in ${where}; known are ${known.join(', ')}`);
	}

	tables(table: Table, key: string, where: string): Table[] {
		const value = table[key];
		if (value === undefined) return [];
		const isTable = (item: unknown) => typeof item === 'object' && item !== null && !Array.isArray(item);
		if (!Array.isArray(value) || !value.every(isTable))
			throw this.wrong(`"${key}" must be written as ${where}`);
		return value as Table[];
	}

	flag(table: Table, key: string, where: string): boolean {
		const value = table[key] ?? false;
		if (typeof value !== 'boolean') throw this.wrong(`"${key}" of "${where}" must be true or false`);
		return value;
	}

	location(table: Table, key: string, where: string): string | undefined {
		const value = table[key];
		if (value === undefined || value === '') return undefined;
		if (typeof value !== 'string') throw this.wrong(`"${key}" of ${where} must be a string`);
		const bare = value.endsWith('/') ? value.slice(0, -1) : value;
		if (!/^[^\s/@?#]+(?:\/[^\s/@?#]+)*$/.test(bare)) {
			throw this.wrong(`"${key}" of ${where} must be host[:port][/path] without a scheme, not "${value}"`);
		}
		return bare;
	}
}
