/** Network configurations of the CNI specification, 0.3.0 to 1.1.0, read strictly. */
import { extname } from 'node:path';
import { invalidArgument } from '#base/errors.ts';

export type Json = { readonly [key: string]: unknown };

export interface CniPlugin {
	readonly type: string;
	/** What the plugin can be told at run time. */
	readonly capabilities: ReadonlySet<string>;
	/** Its configuration as it stands in the file. */
	readonly config: Json;
}

export interface CniNetwork {
	readonly name: string;
	readonly cniVersion: string;
	readonly disableCheck: boolean;
	readonly disableGc: boolean;
	readonly plugins: readonly CniPlugin[];
}

/** Newest first. */
const SUPPORTED_VERSIONS = ['1.1.0', '1.0.0', '0.4.0', '0.3.1', '0.3.0'] as const;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
export const CONFIG_EXTENSIONS: readonly string[] = ['.conf', '.conflist', '.json'];

/** Parses a file's text. INVALID_ARGUMENT whose message begins with the file's name. */
export function parseNetwork(file: string, text: string): CniNetwork {
	const wrong = (what: string) => invalidArgument(`${file}: ${what}`);
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (error) {
		throw wrong(`it is not JSON: ${(error as Error).message}`);
	}
	if (!isObject(value)) throw wrong('it must be a JSON object');
	return networkOf(value, extname(file) === '.conflist', wrong);
}

/** The same, of a configuration that was stored as JSON. */
export const isObject = (value: unknown): value is Json =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

type Wrong = (what: string) => Error;

function networkOf(value: Json, isList: boolean, wrong: Wrong): CniNetwork {
	const { name } = value;
	if (typeof name !== 'string' || !NAME.test(name))
		throw wrong(`"name" must be a name of letters, digits, ".", "_" and "-", not ${JSON.stringify(name)}`);
	const cniVersion = versionOf(value, wrong);
	if (!isList && 'plugins' in value)
		throw wrong('a list of plugins belongs in a file that ends in .conflist');
	const list = isList ? value.plugins : [value];
	if (!Array.isArray(list) || list.length === 0)
		throw wrong('"plugins" must be a list of at least one plugin');
	return {
		name,
		cniVersion,
		disableCheck: flag(value, 'disableCheck', wrong),
		disableGc: flag(value, 'disableGC', wrong),
		plugins: list.map((plugin, index) =>
			pluginOf(plugin, isList ? `plugins[${index}]` : 'the plugin', wrong),
		),
	};
}

function versionOf(value: Json, wrong: Wrong): string {
	const offered = Array.isArray(value.cniVersions) ? value.cniVersions : [value.cniVersion];
	const version = SUPPORTED_VERSIONS.find((supported) => offered.includes(supported));
	if (version !== undefined) return version;
	throw wrong(
		value.cniVersion === undefined && value.cniVersions === undefined
			? `"cniVersion" is missing: give one of ${SUPPORTED_VERSIONS.join(', ')}`
			: `CNI version ${JSON.stringify(value.cniVersions ?? value.cniVersion)} is not supported: give one of ${SUPPORTED_VERSIONS.join(', ')}`,
	);
}

/** Some tools write booleans of this kind as strings. */
function flag(value: Json, key: string, wrong: Wrong): boolean {
	const setting = value[key];
	if (setting === undefined) return false;
	if (typeof setting === 'boolean') return setting;
	if (setting === 'true' || setting === 'false') return setting === 'true';
	throw wrong(`"${key}" must be true or false, not ${JSON.stringify(setting)}`);
}

function pluginOf(plugin: unknown, where: string, wrong: Wrong): CniPlugin {
	if (!isObject(plugin)) throw wrong(`${where} must be an object`);
	const { type, capabilities = {} } = plugin;
	if (typeof type !== 'string' || type === '' || type.includes('/'))
		throw wrong(`"type" of ${where} must be the name of a plugin program, not ${JSON.stringify(type)}`);
	if (!isObject(capabilities)) throw wrong(`"capabilities" of ${where} must be an object of true and false`);
	const enabled = Object.entries(capabilities).filter(([, enabled]) => enabled === true);
	return { type, capabilities: new Set(enabled.map(([name]) => name)), config: plugin };
}

/** Whether a version of the specification is at least another one. */
export function isAtLeast(version: string, least: string): boolean {
	const [one, other] = [version, least].map((text) => text.split('.').map(Number));
	for (let index = 0; index < 3; index++) {
		const difference = (one?.[index] ?? 0) - (other?.[index] ?? 0);
		if (difference !== 0) return difference > 0;
	}
	return true;
}

/** The JSON form of a network for the attachment's record, and back. */
export const encodeNetwork = (network: CniNetwork): Json => ({
	...network,
	plugins: network.plugins.map(({ config }) => config),
});
export const decodeNetwork = (value: Json): CniNetwork =>
	networkOf({ ...value, disableGC: value.disableGc }, true, (what) =>
		invalidArgument(`stored CNI configuration: ${what}`),
	);
