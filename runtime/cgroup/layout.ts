import { invalidArgument } from '#base/errors.ts';

/** One mounted cgroup hierarchy. */
export interface Hierarchy {
	/** Where it is mounted. */
	readonly folder: string;
	/** The folder's name, which is also how it appears below a container's /sys/fs/cgroup. */
	readonly name: string;
	readonly v2: boolean;
	/** A v1 hierarchy without controllers, known by a name only (`systemd`). */
	readonly named: boolean;
	readonly controllers: readonly string[];
}

/** What the machine offers: found once, by detectCgroups; plans and limits are pure functions of it. */
export interface CgroupLayout {
	/** Which version has the controllers. 1 also for the hybrid layout. */
	readonly version: 1 | 2;
	readonly mountRoot: string;
	/** All hierarchies; of a hybrid layout also the v2 one without controllers (it can kill a cgroup at once). */
	readonly hierarchies: readonly Hierarchy[];
	readonly controllers: ReadonlySet<string>;
	/** Whether the kernel accounts swap. */
	readonly swap: boolean;
	/** Whether the block I/O weight is BFQ's (`blkio.bfq.weight`, `io.bfq.weight`). */
	readonly bfq: boolean;
}

/** A cgroup as the C program takes it. */
export interface CgroupMember {
	readonly path: string;
	readonly v2: 0 | 1;
}

/** An OCI cgroupsPath as `/a/b`. INVALID_ARGUMENT for what would leave the hierarchy, and for systemd's form. */
export function normalizeCgroupsPath(path: string): string {
	const parts = path.split('/').filter((part) => part !== '' && part !== '.');
	const refuse = (why: string) => invalidArgument(`Invalid cgroupsPath ${JSON.stringify(path)}: ${why}`);
	if (parts.length === 0) throw refuse('it names the root of the hierarchy');
	if (parts.includes('..')) throw refuse('it has ".." in it');
	if (/^[^/]*:[^/]*:[^/]*$/.test(path)) {
		throw refuse(
			'this is the form of the systemd driver, but the driver here is cgroupfs (set the kubelet to cgroupfs too)',
		);
	}
	return `/${parts.join('/')}`;
}

/** The folder of a cgroup in one hierarchy; its path is normalized. */
export const cgroupFolder = ({ folder }: Hierarchy, cgroupsPath: string): string => folder + cgroupsPath;

/**
 * The cgroup in every hierarchy: a container is a member of all of them. The first is the one through which it is
 * killed: the v1 freezer, for what is frozen does not die, else v2 (cgroup.kill), else any.
 */
export function cgroupMembers(layout: CgroupLayout, cgroupsPath: string): CgroupMember[] {
	const { hierarchies } = layout;
	const killing =
		hierarchies.find(({ v2, controllers }) => !v2 && controllers.includes('freezer')) ??
		hierarchies.find(({ v2 }) => v2) ??
		hierarchies[0];
	const others = hierarchies.filter((hierarchy) => hierarchy !== killing);
	return [...(killing === undefined ? [] : [killing]), ...others].map((hierarchy) => ({
		path: cgroupFolder(hierarchy, cgroupsPath),
		v2: hierarchy.v2 ? 1 : 0,
	}));
}

/** The folder in which a controller's files of this cgroup are; undefined when the machine lacks the controller. */
export function controllerFolder(
	layout: CgroupLayout,
	controller: string,
	cgroupsPath: string,
): string | undefined {
	const hierarchy = layout.hierarchies.find(
		({ controllers, v2 }) => controllers.includes(controller) && v2 === (layout.version === 2),
	);
	return hierarchy && cgroupFolder(hierarchy, cgroupsPath);
}
