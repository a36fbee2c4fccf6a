import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import type { V1Pod } from '@kubernetes/client-node';
import { invalidArgument, messageOf } from '#base/errors.ts';
import { shapeProblems } from './shape.ts';

/** A Pod of which everything is honoured. */
export interface Manifest {
	readonly pod: V1Pod;
	/** Where it was read, for messages. */
	readonly file: string;
}

/** Reads one Pod from a YAML or JSON file; `-` is standard input. INVALID_ARGUMENT with all that is wrong. */
export async function readManifest(file: string): Promise<Manifest> {
	const source = await readSource(file);
	return { pod: await parseManifest(source, file), file };
}

async function readSource(file: string): Promise<string> {
	try {
		return file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8');
	} catch (error) {
		throw invalidArgument(`Cannot read the manifest ${file}: ${messageOf(error)}`, { cause: error });
	}
}

export async function parseManifest(source: string, file: string): Promise<V1Pod> {
	// Not loadAllYaml of the client: it drops the fields that it does not know.
	const { loadAll } = await import('js-yaml');
	const documents = parse(() => loadAll(source) as unknown[], file).filter(
		(one) => one !== null && one !== undefined,
	);
	const [pod] = documents;
	if (documents.length !== 1)
		throw invalidArgument(`${file} holds ${documents.length} documents; gantry run takes one Pod`);
	if (typeof pod !== 'object' || pod === null) throw invalidArgument(`${file} is no Pod`);
	const { apiVersion, kind } = pod as { apiVersion?: unknown; kind?: unknown };
	if (apiVersion !== 'v1' || kind !== 'Pod')
		throw invalidArgument(
			`${file} is a ${shown(kind)} of ${shown(apiVersion)}; gantry run takes a Pod of v1`,
		);
	const wrongForm = [...shapeProblems(pod), ...annotationProblems(pod as V1Pod)];
	const problems = wrongForm.length > 0 ? wrongForm : invalid(pod as V1Pod);
	if (problems.length > 0) throw invalidArgument(`${file} cannot be run:\n  ${problems.join('\n  ')}`);
	return pod as V1Pod;
}

const shown = (value: unknown): string =>
	(typeof value === 'string' ? value : JSON.stringify(value)) ?? 'nothing';

function parse<T>(work: () => T, file: string): T {
	try {
		return work();
	} catch (error) {
		throw invalidArgument(`${file} is not YAML: ${messageOf(error).split('\n')[0]}`, { cause: error });
	}
}

const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

/** Annotations are free, but for the old way to confine a container: a kubelet heeds it, so it must not be lost here. */
function annotationProblems({ metadata }: V1Pod): readonly string[] {
	return Object.keys(metadata?.annotations ?? {})
		.filter((name) => name.startsWith(APPARMOR_ANNOTATION))
		.map(
			(name) =>
				`metadata.annotations["${name}"]: gantry run does not honour this annotation; write securityContext.appArmorProfile of container ${name.slice(APPARMOR_ANNOTATION.length)}`,
		);
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];

/** What the API server would refuse and what would not mean anything here. */
function invalid(pod: V1Pod): readonly string[] {
	const problems: string[] = [];
	const say = (ok: boolean, problem: string) => {
		if (!ok) problems.push(problem);
	};
	const { metadata, spec } = pod;
	say(
		NAME.test(String(metadata?.name ?? '')),
		'metadata.name: a name of lower-case letters, digits, "-" and "." is needed',
	);
	say(
		LABEL.test(metadata?.namespace ?? 'default'),
		`metadata.namespace: ${metadata?.namespace} is no name of a namespace`,
	);
	say(
		/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(metadata?.uid ?? 'x'),
		'metadata.uid: letters, digits, ".", "_" and "-" only',
	);
	say((spec?.containers ?? []).length > 0, 'spec.containers: at least one container is needed');
	say(
		oneOf(spec?.restartPolicy, ['Always', 'OnFailure', 'Never']),
		`spec.restartPolicy: ${spec?.restartPolicy} is none of Always, OnFailure, Never`,
	);
	say(
		oneOf(spec?.dnsPolicy, ['Default', 'ClusterFirst', 'ClusterFirstWithHostNet', 'None']),
		`spec.dnsPolicy: ${spec?.dnsPolicy} is no policy`,
	);
	say(
		!(spec?.hostPID && spec.shareProcessNamespace),
		'spec.shareProcessNamespace: not together with hostPID',
	);
	const lists = [
		['containers', spec?.containers ?? []],
		['initContainers', spec?.initContainers ?? []],
	] as const;
	const volumes = new Map((spec?.volumes ?? []).map((volume) => [volume.name, volume]));
	const names = new Set<string>();
	for (const [list, containers] of lists) {
		for (const [index, container] of containers.entries()) {
			const at = `spec.${list}[${index}]`;
			say(
				LABEL.test(container.name ?? ''),
				`${at}.name: a name of lower-case letters, digits and "-" is needed`,
			);
			say(!names.has(container.name), `${at}.name: ${container.name} is used twice`);
			names.add(container.name);
			say(Boolean(container.image), `${at}.image: an image is needed`);
			say(
				oneOf(container.imagePullPolicy, PULL_POLICIES),
				`${at}.imagePullPolicy: ${container.imagePullPolicy} is none of ${PULL_POLICIES.join(', ')}`,
			);
			say(
				list === 'initContainers' ? oneOf(container.restartPolicy, ['Always']) : !container.restartPolicy,
				`${at}.restartPolicy: only "Always" of an init container (a sidecar) has a meaning`,
			);
			for (const [mount, { name, mountPath, mountPropagation }] of (container.volumeMounts ?? []).entries()) {
				say(volumes.has(name), `${at}.volumeMounts[${mount}].name: there is no volume ${name}`);
				say(
					String(mountPath ?? '').startsWith('/'),
					`${at}.volumeMounts[${mount}].mountPath: must be absolute`,
				);
				say(
					volumes.get(name)?.image === undefined || (mountPropagation ?? 'None') === 'None',
					`${at}.volumeMounts[${mount}].mountPropagation: only "None" is possible, because nothing is ever mounted in an image`,
				);
			}
			for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
				say(
					(container[probe]?.successThreshold ?? 1) === 1,
					`${at}.${probe}.successThreshold: only 1 is possible, because a probe is not repeated after it succeeded`,
				);
				say(
					container[probe] === undefined || (container[probe]?.exec?.command ?? []).length > 0,
					`${at}.${probe}.exec.command: a command is needed`,
				);
			}
		}
	}
	for (const [index, volume] of (spec?.volumes ?? []).entries()) {
		const kinds = [volume.emptyDir, volume.hostPath, volume.image].filter((kind) => kind !== undefined);
		say(
			LABEL.test(volume.name ?? ''),
			`spec.volumes[${index}].name: a name of lower-case letters, digits and "-" is needed`,
		);
		say(kinds.length === 1, `spec.volumes[${index}]: give one of emptyDir, hostPath and image`);
		say(
			oneOf(volume.emptyDir?.medium || undefined, ['Memory']),
			`spec.volumes[${index}].emptyDir.medium: only "" and "Memory" are possible`,
		);
		say(
			volume.image === undefined || Boolean(volume.image.reference),
			`spec.volumes[${index}].image.reference: an image is needed`,
		);
		say(
			oneOf(volume.image?.pullPolicy, PULL_POLICIES),
			`spec.volumes[${index}].image.pullPolicy: ${volume.image?.pullPolicy} is none of ${PULL_POLICIES.join(', ')}`,
		);
	}
	return problems;
}

function oneOf(value: string | undefined, choices: readonly string[]): boolean {
	return value === undefined || value === null || choices.includes(value);
}
