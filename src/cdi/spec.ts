import { load, YAML11_SCHEMA } from 'js-yaml';
import { dataLoss, messageOf } from '#base/errors.ts';
import { integer, list, map, object, oneOf, opaque, type Shape, text } from '../store/shape.ts';
import { DEVICE, KIND } from './device-name.ts';

/** One spec file (CDI SPEC.md), in its own words; absent lists are undefined. */
export interface CdiSpec {
	readonly cdiVersion: string;
	readonly kind: string;
	readonly annotations?: Readonly<Record<string, string>> | undefined;
	readonly devices: readonly CdiDevice[];
	readonly containerEdits?: ContainerEdits | undefined;
}

interface CdiDevice {
	readonly name: string;
	readonly annotations?: Readonly<Record<string, string>> | undefined;
	readonly containerEdits: ContainerEdits;
}

export interface ContainerEdits {
	/** NAME=value. */
	readonly env?: readonly string[] | undefined;
	readonly deviceNodes?: readonly DeviceNode[] | undefined;
	readonly mounts?: readonly CdiMount[] | undefined;
	readonly hooks?: readonly CdiHook[] | undefined;
	readonly additionalGids?: readonly number[] | undefined;
	readonly intelRdt?: unknown;
	readonly netDevices?: unknown;
}

export interface DeviceNode {
	readonly path: string;
	readonly hostPath?: string | undefined;
	readonly type?: 'b' | 'c' | 'u' | 'p' | undefined;
	readonly major?: number | undefined;
	readonly minor?: number | undefined;
	readonly fileMode?: number | undefined;
	/** Of r, w and m; `none`: the node is there, and may not be used. */
	readonly permissions?: string | undefined;
	readonly uid?: number | undefined;
	readonly gid?: number | undefined;
}

export interface CdiMount {
	readonly hostPath: string;
	readonly containerPath: string;
	readonly options?: readonly string[] | undefined;
	readonly type?: string | undefined;
}

export interface CdiHook {
	readonly hookName: (typeof HOOKS)[number];
	readonly path: string;
	readonly args?: readonly string[] | undefined;
	readonly env?: readonly string[] | undefined;
	/** Seconds. */
	readonly timeout?: number | undefined;
}

const HOOKS = [
	'prestart',
	'createRuntime',
	'createContainer',
	'startContainer',
	'poststart',
	'poststop',
] as const;

/** The released versions of the specification, oldest first. */
const VERSIONS = ['0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0'] as const;
type Version = (typeof VERSIONS)[number];

/** Go writes null for what is not there. */
function optional<T>(shape: Shape<T>): Shape<T | undefined> {
	return (value, path) => (value === undefined || value === null ? undefined : shape(value, path));
}

function matching(pattern: RegExp, what: string): Shape<string> {
	return (value, path) => {
		const found = text(value, path);
		if (!pattern.test(found)) throw dataLoss(`${path} is ${JSON.stringify(found)}, expected ${what}`);
		return found;
	};
}

const id: Shape<number> = (value, path) => {
	const found = integer(value, path);
	if (found < 0 || found > 0xffffffff) throw dataLoss(`${path} is ${found}, expected 0 to 4294967295`);
	return found;
};
const filled = matching(/^[^\0]+$/, 'a text that is not empty');
const absolute = matching(/^\/[^\0]*$/, 'an absolute path');
const variable = matching(/^[^=\0]+=[^\0]*$/, 'the form NAME=value');
/** YAML makes a number of a name such as 0. */
const deviceName: Shape<string> = (value, path) =>
	matching(DEVICE, 'letters, digits and _ . : - between them')(
		typeof value === 'number' ? String(value) : value,
		path,
	);

const editsShape = object<ContainerEdits>({
	env: optional(list(variable)),
	deviceNodes: optional(
		list(
			object<DeviceNode>({
				path: absolute,
				hostPath: optional(absolute),
				type: optional(oneOf('b', 'c', 'u', 'p')),
				major: optional(integer),
				minor: optional(integer),
				fileMode: optional(id),
				permissions: optional(matching(/^([rwm]*|none)$/, 'of r, w and m, or none')),
				uid: optional(id),
				gid: optional(id),
			}),
		),
	),
	mounts: optional(
		list(
			object<CdiMount>({
				hostPath: filled,
				containerPath: absolute,
				options: optional(list(text)),
				type: optional(text),
			}),
		),
	),
	hooks: optional(
		list(
			object<CdiHook>({
				hookName: oneOf(...HOOKS),
				path: absolute,
				args: optional(list(text)),
				env: optional(list(variable)),
				timeout: optional(id),
			}),
		),
	),
	additionalGids: optional(list(id)),
	intelRdt: opaque,
	netDevices: opaque,
});

const specShape = object<CdiSpec>({
	cdiVersion: text,
	kind: matching(KIND, 'the form vendor.com/class'),
	annotations: optional(map(text)),
	devices: list(
		object<CdiDevice>({
			name: deviceName,
			annotations: optional(map(text)),
			containerEdits: editsShape,
		}),
	),
	containerEdits: optional(editsShape),
});

/**
 * Reads one spec file. DATA_LOSS with the field for what is no spec, for a version that we do not know, for fields
 * that the version does not have, and for a device that is there twice.
 */
export function parseSpec(source: string, path: string): CdiSpec {
	const spec = specShape(documentOf(source, path), 'spec');
	const version = VERSIONS.find((known) => known === spec.cdiVersion.replace(/^v/, ''));
	if (version === undefined)
		throw dataLoss(`spec.cdiVersion is ${JSON.stringify(spec.cdiVersion)}, known are ${VERSIONS.join(', ')}`);
	checkVersion(spec, version);
	if (spec.devices.length === 0) throw dataLoss('spec.devices is empty');
	const names = new Set<string>();
	for (const { name } of spec.devices) {
		if (names.has(name)) throw dataLoss(`spec.devices has ${name} twice`);
		names.add(name);
	}
	return spec;
}

function documentOf(source: string, path: string): unknown {
	try {
		return path.endsWith('.json') ? JSON.parse(source) : load(source, { schema: YAML11_SCHEMA });
	} catch (error) {
		throw dataLoss(`it is no ${path.endsWith('.json') ? 'JSON' : 'YAML'}: ${messageOf(error)}`);
	}
}

/** A spec may use only what its version has (SPEC.md, "Released versions"). */
function checkVersion(spec: CdiSpec, version: Version): void {
	for (const [field, since] of usedFields(spec)) {
		if (VERSIONS.indexOf(version) >= VERSIONS.indexOf(since)) continue;
		throw dataLoss(`spec.cdiVersion is ${version}, but ${field} came with ${since}`);
	}
}

function* usedFields({
	kind,
	annotations,
	devices,
	containerEdits,
}: CdiSpec): Generator<readonly [field: string, since: Version]> {
	if (kind.slice(kind.indexOf('/')).includes('.')) yield ['a dot in the class of kind', '0.6.0'];
	if (annotations !== undefined) yield ['annotations', '0.6.0'];
	if (containerEdits !== undefined) yield* usedByEdits('containerEdits', containerEdits);
	for (const [index, device] of devices.entries()) {
		const path = `devices[${index}]`;
		if (/^[0-9]/.test(device.name)) yield [`a name that begins with a digit (${path})`, '0.5.0'];
		if (device.annotations !== undefined) yield [`${path}.annotations`, '0.6.0'];
		yield* usedByEdits(`${path}.containerEdits`, device.containerEdits);
	}
}

function* usedByEdits(
	path: string,
	{ mounts = [], deviceNodes = [], additionalGids = [], intelRdt, netDevices }: ContainerEdits,
): Generator<readonly [field: string, since: Version]> {
	if (mounts.some(({ type = '' }) => type !== '')) yield [`${path}.mounts.type`, '0.4.0'];
	if (deviceNodes.some(({ hostPath = '' }) => hostPath !== ''))
		yield [`${path}.deviceNodes.hostPath`, '0.5.0'];
	if (additionalGids.length > 0) yield [`${path}.additionalGids`, '0.7.0'];
	if (intelRdt !== undefined && intelRdt !== null) yield [`${path}.intelRdt`, '0.7.0'];
	if (netDevices !== undefined && netDevices !== null) yield [`${path}.netDevices`, '1.1.0'];
}
