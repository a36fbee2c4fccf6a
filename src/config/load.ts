import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, messageOf } from '#base/errors.ts';
import { isWithin } from '#base/paths.ts';
import { assemble } from './assemble.ts';
import { ConfigError } from './config-error.ts';
import { OPTION_NAMES, type OptionName } from './options.ts';
import {
	defaultSettings,
	type Setting,
	type Settings,
	settingOfText,
	settingsOfFile,
	settingsOfText,
} from './settings.ts';
import type { Config } from './types.ts';

/** The configuration file that is read when none is named, if it exists. */
export const DEFAULT_CONFIG_FILE = '/etc/gantry/gantry.toml';

/** What the command lines of gantryd and gantry can say about the configuration. */
export interface ConfigSources {
	/** --config: must exist when given. Drop-ins are read from `<file>.d/*.toml`. */
	readonly config?: string | undefined;
	readonly listen?: string | undefined;
	readonly root?: string | undefined;
	readonly state?: string | undefined;
	/** --set key=value, in order. */
	readonly set?: readonly string[] | undefined;
}

export interface LoadedConfig {
	readonly config: Config;
	/** Every option in the order of the table: its value and where it comes from. */
	readonly settings: readonly Setting[];
	/** Files that were read, in order; later ones win. */
	readonly files: readonly string[];
}

/**
 * The effective configuration: defaults, then the file, its drop-ins in lexical order, --set, --listen/--root/--state.
 * ConfigError with every problem that was found, one a line, each with its file and line.
 */
export function loadConfig(sources: ConfigSources = {}): LoadedConfig {
	const files = filesOf(sources.config);
	const layers = [
		...files.map(readSettings),
		settingsOfText(sources.set ?? []),
		...dedicatedSettings(sources),
	];
	const effective = new Map<OptionName, Setting>(defaultSettings().map((setting) => [setting.name, setting]));
	for (const setting of layers.flatMap((layer) => layer.settings)) effective.set(setting.name, setting);
	const problems = layers.flatMap((layer) => layer.problems);
	if (problems.length === 0) problems.push(...combinedProblems(effective));
	if (problems.length > 0)
		throw new ConfigError('INVALID_ARGUMENT', `The configuration is broken:\n${problems.join('\n')}`);
	const settings = OPTION_NAMES.flatMap((name) => effective.get(name) ?? []);
	return { config: assemble(effective), settings, files };
}

function filesOf(named: string | undefined): readonly string[] {
	const file = named ?? DEFAULT_CONFIG_FILE;
	const main = named !== undefined || existsSync(file) ? [file] : [];
	return [...main, ...dropInsOf(`${file}.d`)];
}

function dropInsOf(folder: string): readonly string[] {
	try {
		const names = readdirSync(folder).filter((name) => name.endsWith('.toml') && !name.startsWith('.'));
		return names.sort().map((name) => join(folder, name));
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return [];
		throw new ConfigError(
			'INVALID_ARGUMENT',
			`Cannot read the folder of configuration drop-ins ${folder}: ${messageOf(error)}`,
			{
				cause: error,
			},
		);
	}
}

function readSettings(path: string): Settings {
	try {
		return settingsOfFile(path, readFileSync(path, 'utf8'));
	} catch (error) {
		throw new ConfigError(
			'INVALID_ARGUMENT',
			`Cannot read the configuration file ${path}: ${messageOf(error)}`,
			{
				cause: error,
			},
		);
	}
}

function dedicatedSettings(sources: ConfigSources): readonly Settings[] {
	return (['listen', 'root', 'state'] as const).flatMap((name) => {
		const value = sources[name];
		return value === undefined ? [] : [settingOfText(name, value, `--${name}`)];
	});
}

/** A Unix socket's path has room for 107 bytes and its NUL (unix(7)); the longest of ours is STATE/shims/<20 digits>.sock. */
const SOCKET_PATH_MAX = 107;
const LONGEST_SOCKET_NAME = '/shims/01234567890123456789.sock'.length;

/** What is wrong with options that are right one by one. */
function combinedProblems(settings: ReadonlyMap<OptionName, Setting>): string[] {
	const problems: string[] = [];
	const check = (name: OptionName, bytes: number, most: number): void => {
		if (bytes > most)
			problems.push(
				`${settings.get(name)?.origin}: ${name}: the path is ${bytes} bytes long, ${bytes - most} too many for Unix sockets`,
			);
	};
	const { root, state, listen, network, streaming } = assemble(settings);
	check('state', Buffer.byteLength(state), SOCKET_PATH_MAX - LONGEST_SOCKET_NAME);
	check('listen', Buffer.byteLength(listen.slice('unix://'.length)), SOCKET_PATH_MAX);
	for (const isFamily of [(cidr: string) => cidr.includes(':'), (cidr: string) => !cidr.includes(':')])
		if (network.subnets.filter(isFamily).length > 1)
			problems.push(
				`${settings.get('network.subnets')?.origin}: network.subnets: more than one subnet of a family`,
			);
	const nested = nestedFolders(root, state);
	if (nested !== undefined) problems.push(`${settings.get('root')?.origin}: root: ${nested}`);
	if ((streaming.tlsCertificate === '') !== (streaming.tlsKey === '')) {
		const [set, missing] =
			streaming.tlsKey === ''
				? (['tls_certificate', 'tls_key'] as const)
				: (['tls_key', 'tls_certificate'] as const);
		problems.push(
			`${settings.get(`streaming.${set}`)?.origin}: streaming.${set}: streaming.${missing} is missing, which belongs to it`,
		);
	}
	return problems;
}

/** A reboot empties the state. The other way round it only lies on a disk for nothing (startup/folders.ts). */
function nestedFolders(root: string, state: string): string | undefined {
	for (const [option, path] of Object.entries({ root, state })) {
		if (/^\/(proc|sys)(\/|$)/.test(path))
			return `the ${option} folder ${path} is not on a file system for files`;
		if (path === '/') return `the ${option} folder cannot be /: choose one that is Gantry's alone`;
	}
	if (isWithin(root, state))
		return `${root} is within the state folder ${state}, which a reboot empties: images would be lost; choose a folder on a disk, such as /var/lib/gantry`;
	return undefined;
}
