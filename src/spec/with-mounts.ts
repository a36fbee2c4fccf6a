import type { OciMount, OciSpec } from '#runtime';
import { addMounts, type With, withLinux } from './draft.ts';
import type { ContainerSpecInput, ImageMount, ResolvedMount } from './input.ts';
import { isReplaced } from './with-default-mounts.ts';

/** The image's volumes and the request's mounts, all mounts sorted so that none hides one below it. */
export const withMounts: With<ContainerSpecInput> = (spec, input) => {
	const volumes = input.volumes
		.filter(({ destination }) => !isReplaced(destination, input))
		.map(
			({ destination, source }): OciMount => ({
				destination,
				type: 'bind',
				source,
				options: ['rbind', 'rprivate', 'rw'],
			}),
		);
	const requested = [...input.mounts.map(bindMount), ...input.images.map(imageMount)];
	const edited = new Set(input.edits.mounts.map(({ destination }) => destination));
	const all = addMounts(spec, [
		...volumes,
		...requested.filter(({ destination }) => !edited.has(destination)),
		...input.edits.mounts.map((mount) => editedMount(mount, input)),
	]);
	const sorted = { ...all, mounts: (all.mounts ?? []).toSorted((one, other) => depth(one) - depth(other)) };
	return withRootPropagation(sorted, input.mounts);
};

function bindMount({ destination, source, options, uidMappings, gidMappings }: ResolvedMount): OciMount {
	const mapped = uidMappings.length > 0 || gidMappings.length > 0;
	return { destination, type: 'bind', source, options, ...(mapped ? { uidMappings, gidMappings } : {}) };
}

/** Which layers they are the runtime is told beside the spec (CreateOptions.images). */
function imageMount({ destination, options }: ImageMount): OciMount {
	return { destination, type: 'overlay', source: 'overlay', options: ['ro', ...options] };
}

/** CDI: in a user namespace what a device binds is idmapped. */
function editedMount(mount: OciMount, { sandbox }: ContainerSpecInput): OciMount {
	if (sandbox.namespaces.user === undefined || mount.type !== 'bind') return mount;
	const { options = [] } = mount;
	if (options.some((option) => option === 'idmap' || option === 'ridmap')) return mount;
	return { ...mount, options: [...options, 'idmap'] };
}

const depth = ({ destination }: OciMount): number =>
	destination.split('/').filter((part) => part !== '').length;

/** A mount that takes part in propagation needs a root that lets it through. */
function withRootPropagation(spec: OciSpec, mounts: readonly ResolvedMount[]): OciSpec {
	const has = (option: string): boolean => mounts.some(({ options }) => options.includes(option));
	if (has('rshared')) return withLinux(spec, { rootfsPropagation: 'rshared' });
	return has('rslave') ? withLinux(spec, { rootfsPropagation: 'rslave' }) : spec;
}
