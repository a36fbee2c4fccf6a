/** The kinds of value that an option can have: how each is checked, and how it is written on a command line. */
import { isIP } from 'node:net';
import { isAbsolute, normalize } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { suggestion } from './suggest.ts';

export interface Kind<T> {
	/** For people: `one of auto, builtin, cni`. */
	readonly name: string;
	/** The checked value. Throws an Error with a sentence about what is wrong with it. */
	parse(value: unknown): T;
	/** The TOML value that `--set key=TEXT` stands for. */
	fromText(text: string): unknown;
}

const shown = (value: unknown): string => JSON.stringify(value) ?? String(value);
const same = (text: string): string => text;

function requireString(value: unknown): string {
	if (typeof value !== 'string') throw new Error(`${shown(value)} is not a string`);
	if (value.includes('\0') || value.includes('\n'))
		throw new Error(`${shown(value)} has a line break or NUL in it`);
	return value;
}

/** A string that `check` finds nothing wrong with; it may return the value in a normal form. */
export function text(name: string, check: (value: string) => string): Kind<string> {
	return { name, parse: (value) => check(requireString(value)), fromText: same };
}

export function matching(name: string, pattern: RegExp): Kind<string> {
	return text(name, (value) => {
		if (!pattern.test(value)) throw new Error(`${shown(value)} is not ${name}`);
		return value;
	});
}

export function oneOf<const T extends string>(...choices: readonly T[]): Kind<T> {
	const name = choices.length === 1 ? `only "${choices[0]}"` : `one of ${choices.join(', ')}`;
	return {
		name,
		fromText: same,
		parse(value) {
			const found = choices.find((choice) => choice === value);
			if (found === undefined)
				throw new Error(`${shown(value)} is not ${name}${suggestion(String(value), choices)}`);
			return found;
		},
	};
}

export function integer(least: number, most: number): Kind<number> {
	const name =
		most === Number.MAX_SAFE_INTEGER ? `an integer, ${least} or more` : `an integer from ${least} to ${most}`;
	return {
		name,
		fromText: (value) => (/^[+-]?\d+$/.test(value) ? Number(value) : value),
		parse(value) {
			if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most)
				throw new Error(`${shown(value)} is not ${name}`);
			return value as number;
		},
	};
}

export const flag: Kind<boolean> = {
	name: 'true or false',
	fromText: (value) => (value === 'true' || value === 'false' ? value === 'true' : value),
	parse(value) {
		if (typeof value !== 'boolean') throw new Error(`${shown(value)} is not true or false`);
		return value;
	},
};

/** Permission bits, written in octal as people do: `"0660"`. TOML's `0o660` is the same number. */
export const fileMode: Kind<number> = {
	name: 'an octal file mode such as "0660"',
	fromText: same,
	parse(value) {
		const mode = typeof value === 'string' && /^[0-7]{3,4}$/.test(value) ? Number.parseInt(value, 8) : value;
		if (!Number.isInteger(mode) || (mode as number) < 0 || (mode as number) > 0o777)
			throw new Error(`${shown(value)} is not ${fileMode.name}`);
		return mode as number;
	},
};

export function listOf<T>(item: Kind<T>): Kind<readonly T[]> {
	return {
		name: `a list, each ${item.name}`,
		fromText(value) {
			if (value.trimStart().startsWith('[')) return tomlValue(value);
			return value === '' ? [] : value.split(',').map((part) => part.trim());
		},
		parse(value) {
			if (!Array.isArray(value)) throw new Error(`${shown(value)} is not a list`);
			return value.map((element) => item.parse(element));
		},
	};
}

export const stringTable: Kind<Readonly<Record<string, string>>> = {
	name: 'a table of strings',
	fromText(value) {
		if (value.trimStart().startsWith('{')) return tomlValue(value);
		return Object.fromEntries(value === '' ? [] : value.split(',').map(splitPair));
	},
	parse(value) {
		if (typeof value !== 'object' || value === null || Array.isArray(value))
			throw new Error(`${shown(value)} is not a table`);
		return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, requireString(entry)]));
	},
};

function splitPair(pair: string): [string, string] {
	const at = pair.indexOf('=');
	if (at < 1) throw new Error(`${shown(pair)} is not of the form name=value`);
	return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}

function tomlValue(value: string): unknown {
	return parseToml(`value = ${value}`).value;
}

export const absolutePath: Kind<string> = text('an absolute path', (value) => {
	if (!isAbsolute(value)) throw new Error(`${shown(value)} is not an absolute path`);
	return trimSlash(normalize(value));
});

const trimSlash = (path: string): string =>
	path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;

/** `unix:///PATH`; a bare absolute path means the same. */
export const unixAddress: Kind<string> = text('an address of the form unix:///PATH', (value) => {
	const path = value.startsWith('unix://') ? value.slice('unix://'.length) : value;
	if (!isAbsolute(path)) throw new Error(`${shown(value)} is not an address of the form unix:///PATH`);
	return `unix://${normalize(path)}`;
});

/** `HOST:PORT` with an IP address or `localhost`; '' where an option can be turned off. */
export function tcpAddress(mayBeOff: boolean): Kind<string> {
	const name = `an address such as 127.0.0.1:9090 or [::1]:9090${mayBeOff ? ', or "" for off' : ''}`;
	return text(name, (value) => {
		if (value === '' && mayBeOff) return value;
		const { host, port } = splitHostPort(value);
		if ((isIP(host) === 0 && host !== 'localhost') || port > 65535)
			throw new Error(`${shown(value)} is not ${name}`);
		return value;
	});
}

/** Host (without brackets) and port of `HOST:PORT`; a port of NaN when there is none. */
export function splitHostPort(address: string): { readonly host: string; readonly port: number } {
	const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]*)):(\d{1,5})$/.exec(address);
	return { host: match?.[1] ?? match?.[2] ?? '', port: Number(match?.[3]) };
}

export const subnet: Kind<string> = text('an IP subnet such as 10.88.0.0/16', (value) => {
	const [address = '', bits = '', ...rest] = value.split('/');
	const family = isIP(address);
	const most = family === 6 ? 128 : 32;
	if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > most)
		throw new Error(`${shown(value)} is not an IP subnet such as 10.88.0.0/16`);
	return value;
});

/** `CAP_CHOWN`; `chown` and `CHOWN` mean the same. */
export const capability: Kind<string> = text('a capability such as CAP_CHOWN', (value) => {
	const upper = value.toUpperCase();
	const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
	if (!/^CAP_[A-Z][A-Z_]+$/.test(full))
		throw new Error(`${shown(value)} is not a capability such as CAP_CHOWN`);
	return full;
});
