/** Settings as they come from one place (a file, the command line), before they are put together. */
import { parse, TomlError } from 'smol-toml';
import { OPTION_NAMES, OPTIONS, type OptionName } from './options.ts';
import { suggestion } from './suggest.ts';
import { lineOf } from './toml-lines.ts';

export interface Setting {
	readonly name: OptionName;
	/** As it was written. */
	readonly raw: unknown;
	/** As it was understood. */
	readonly value: unknown;
	/** Where it comes from: `default`, `/etc/gantry/gantry.toml:12`, `--set`. */
	readonly origin: string;
}

export interface Settings {
	readonly settings: readonly Setting[];
	/** One sentence each, with the place: `/etc/gantry/gantry.toml:3: unknown option "log.levl" (did you mean …?)`. */
	readonly problems: readonly string[];
}

/** The settings of one TOML file. */
export function settingsOfFile(path: string, text: string): Settings {
	let tables: unknown;
	try {
		tables = parse(text);
	} catch (error) {
		if (!(error instanceof TomlError)) throw error;
		const reason = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '');
		return { settings: [], problems: [`${path}:${error.line}: this is not TOML: ${reason}`] };
	}
	const found: Setting[] = [];
	const problems: string[] = [];
	for (const { keys, value } of leavesOf(tables, [])) {
		const origin = `${path}:${lineOf(text, keys)}`;
		collect(keys.join('.'), value, origin, found, problems);
	}
	return { settings: found, problems };
}

/** The settings of `--set key=value` options. */
export function settingsOfText(pairs: readonly string[]): Settings {
	const found: Setting[] = [];
	const problems: string[] = [];
	for (const pair of pairs) {
		const at = pair.indexOf('=');
		const name = at < 0 ? pair : pair.slice(0, at);
		if (at < 1) problems.push(`--set ${pair}: write it as key=value`);
		else collectText(name.trim(), pair.slice(at + 1), '--set', found, problems);
	}
	return { settings: found, problems };
}

/** One option given as text, under the name of the command-line option that it came by. */
export function settingOfText(name: OptionName, value: string, origin: string): Settings {
	const found: Setting[] = [];
	const problems: string[] = [];
	collectText(name, value, origin, found, problems);
	return { settings: found, problems };
}

/** What every option is without any file. */
export function defaultSettings(): readonly Setting[] {
	return OPTION_NAMES.map((name) => {
		const raw: unknown = OPTIONS[name].default;
		return { name, raw, value: OPTIONS[name].kind.parse(raw), origin: 'default' };
	});
}

function collectText(
	name: string,
	value: string,
	origin: string,
	found: Setting[],
	problems: string[],
): void {
	if (!isOption(name)) return void problems.push(unknownOption(name, origin));
	try {
		collect(name, OPTIONS[name].kind.fromText(value), origin, found, problems);
	} catch (error) {
		problems.push(`${origin}: ${name}: ${reasonOf(error)}`);
	}
}

function collect(name: string, raw: unknown, origin: string, found: Setting[], problems: string[]): void {
	if (!isOption(name)) return void problems.push(unknownOption(name, origin));
	try {
		found.push({ name, raw, value: OPTIONS[name].kind.parse(raw), origin });
	} catch (error) {
		problems.push(`${origin}: ${name}: ${reasonOf(error)}`);
	}
}

/** The first line of a message: the TOML parser draws the place below it. */
function reasonOf(error: unknown): string {
	return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

function unknownOption(name: string, origin: string): string {
	return `${origin}: unknown option "${name}"${suggestion(name, OPTION_NAMES)}`;
}

function isOption(name: string): name is OptionName {
	return Object.hasOwn(OPTIONS, name);
}

/** Every value that is no table, or is the table that an option wants, with its keys. */
function* leavesOf(
	value: unknown,
	keys: readonly string[],
): Generator<{ keys: readonly string[]; value: unknown }> {
	if (!isTable(value) || isOption(keys.join('.')) || isUnknownEmptyTable(value, keys)) yield { keys, value };
	else for (const [key, inner] of Object.entries(value)) yield* leavesOf(inner, [...keys, key]);
}

/** An empty table has no leaf that would tell that nothing of the kind is known. */
function isUnknownEmptyTable(value: object, keys: readonly string[]): boolean {
	const prefix = keys.map((key) => `${key}.`).join('');
	return Object.keys(value).length === 0 && !OPTION_NAMES.some((name) => name.startsWith(prefix));
}

function isTable(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
