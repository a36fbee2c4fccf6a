import { hostname } from 'node:os';
import type { V1Container, V1EnvVar, V1Pod } from '@kubernetes/client-node';
import { invalidArgument } from '#base/errors.ts';
import type { KeyValueInit } from '#cri-api';

/** What a fieldRef may point at. */
export interface PodFacts {
	readonly pod: V1Pod;
	readonly uid: string;
	readonly ips: readonly string[];
}

/** `$(NAME)` of a known variable becomes its value, `$$` a `$`; everything else stays as it is. */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
	return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
		if (name === undefined) return '$';
		return variables.get(name) ?? whole;
	});
}

/** The variables of a container, each expanded with those above it. */
export function variablesOf(
	container: V1Container,
	facts: PodFacts,
	path: string,
): ReadonlyMap<string, string> {
	const variables = new Map<string, string>();
	for (const [index, variable] of (container.env ?? []).entries()) {
		variables.set(variable.name, valueOfVariable(variable, variables, facts, `${path}.env[${index}]`));
	}
	return variables;
}

export function toKeyValues(variables: ReadonlyMap<string, string>): readonly KeyValueInit[] {
	return [...variables].map(([key, value]) => ({ key, value: Buffer.from(value) }));
}

function valueOfVariable(
	variable: V1EnvVar,
	variables: ReadonlyMap<string, string>,
	facts: PodFacts,
	path: string,
): string {
	const field = variable.valueFrom?.fieldRef?.fieldPath;
	if (field === undefined) return expand(String(variable.value ?? ''), variables);
	return fieldValue(field, facts, `${path}.valueFrom.fieldRef.fieldPath`);
}

function fieldValue(field: string, { pod, uid, ips }: PodFacts, path: string): string {
	const entry = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(field);
	if (entry !== null) return pod.metadata?.[entry[1] as 'labels' | 'annotations']?.[entry[2] ?? ''] ?? '';
	switch (field) {
		case 'metadata.name':
			return pod.metadata?.name ?? '';
		case 'metadata.namespace':
			return pod.metadata?.namespace ?? 'default';
		case 'metadata.uid':
			return uid;
		case 'spec.nodeName':
			return hostname();
		case 'status.podIP':
			return ips[0] ?? '';
		case 'status.podIPs':
			return ips.join(',');
		default:
			throw invalidArgument(
				`${path}: ${field} is not known here; metadata.*, spec.nodeName, status.podIP and status.podIPs are`,
			);
	}
}
