import { invalidArgument } from '#base/errors.ts';
import type { ContainerMetadata } from '#cri-api';
import { checkName } from '../sandbox/metadata.ts';

/** The name under which a container is reserved: `sandbox id/name/attempt`. */
export function containerName(sandboxId: string, { name, attempt }: ContainerMetadata): string {
	return `${sandboxId}/${name}/${attempt}`;
}

/** INVALID_ARGUMENT unless the metadata can be a name. */
export function checkContainerMetadata(metadata: ContainerMetadata | null | undefined): ContainerMetadata {
	if (metadata === null || metadata === undefined) {
		throw invalidArgument('config.metadata is missing: a container needs a name');
	}
	checkName('config.metadata.name', metadata.name);
	return metadata;
}
