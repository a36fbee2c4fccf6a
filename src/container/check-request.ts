import { failedPrecondition, invalidArgument, notFound } from '#base/errors.ts';
import type {
	ContainerConfig,
	ContainerMetadata,
	CreateContainerRequest,
	LinuxContainerSecurityContext,
	PodSandboxConfig,
} from '#cri-api';
import type { Image } from '#images';
import { type DeviceName, requestedDevices } from '../cdi/device-name.ts';
import { checkRuntimeHandler } from '../sandbox/check-request.ts';
import { checkClasses } from '../sandbox/classes.ts';
import { sandboxName } from '../sandbox/metadata.ts';
import { podNamespaces } from '../sandbox/namespaces.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Daemon } from '../server/types.ts';
import { checkDevices } from './devices.ts';
import { checkEnvironment } from './environment.ts';
import { checkImageMaps, findImageVolumes, type ImageVolume } from './image-volumes.ts';
import { logPathOf } from './log-path.ts';
import { checkContainerMetadata } from './metadata.ts';
import { checkMounts } from './mounts.ts';
import { seLinuxLabels } from './selinux.ts';
import { checkGroupHasUser, checkOneUser } from './users.ts';

/** A request that has been checked, with the objects that it names. */
export interface ContainerRequest {
	readonly config: ContainerConfig;
	readonly metadata: ContainerMetadata;
	readonly sandbox: Sandbox;
	readonly image: Image;
	readonly imageVolumes: readonly ImageVolume[];
	readonly cdiDevices: readonly DeviceName[];
	readonly security: LinuxContainerSecurityContext | undefined;
	readonly privileged: boolean;
	/** Absolute, or '' for none. */
	readonly logPath: string;
}

/** Everything that can be refused before anything is made. */
export function checkContainerRequest(daemon: Daemon, request: CreateContainerRequest): ContainerRequest {
	const { config } = request;
	if (config === null) throw invalidArgument('config is missing');
	const metadata = checkContainerMetadata(config.metadata);
	const sandbox = readySandbox(daemon, request.pod_sandbox_id);
	if (config.windows !== null) throw invalidArgument('config.windows is set, but this node runs Linux');
	checkEnvironment(config.envs);
	const security = config.linux?.security_context ?? undefined;
	const privileged = checkPrivileged(security, sandbox);
	const labels = seLinuxLabels(security?.selinux_options, daemon.containers.host, privileged);
	checkMounts(config.mounts, labels !== undefined, daemon.features);
	checkClasses('annotations', config.annotations);
	checkSameSandbox(request.sandbox_config, sandbox);
	checkDevices(config.devices);
	if (config.working_dir.includes('\0')) throw invalidArgument('working_dir has a NUL character in it');
	checkGroupHasUser(security);
	checkOneUser(security);
	const imageVolumes = findImageVolumes(daemon, config.mounts);
	checkImageMaps(
		imageVolumes,
		podNamespaces(sandbox.metadata.config.linux?.security_context?.namespace_options),
	);
	return {
		config,
		metadata,
		sandbox,
		image: imageOf(daemon, config),
		imageVolumes,
		cdiDevices: requestedDevices(config),
		security,
		privileged,
		logPath: logPathOf(sandbox.metadata.config.log_directory, config.log_path),
	};
}

/** The sandbox of that id. FAILED_PRECONDITION unless it is ready. */
function readySandbox({ sandboxes }: Daemon, id: string): Sandbox {
	if (id === '') throw invalidArgument('pod_sandbox_id is empty');
	const sandbox = sandboxes.find(id);
	if (sandbox === undefined) throw notFound(`No sandbox ${id}`);
	if (sandbox.status.state !== 'ready') {
		const { reason, message } = sandbox.status;
		const why = [reason, message].filter((part) => part !== '').join(': ');
		throw failedPrecondition(
			`Sandbox ${sandbox.metadata.id} is not ready (${why || sandbox.status.state}); run a new one`,
		);
	}
	return sandbox;
}

/** CRI: the same config that the sandbox was run with. Another pod's, or another log folder, would be overlooked. */
function checkSameSandbox(
	given: PodSandboxConfig | null,
	{ metadata: { id, config } }: Pick<Sandbox, 'metadata'>,
): void {
	const theirs = given?.metadata;
	const ours = config.metadata;
	if (theirs && ours && sandboxName({ ...theirs, attempt: 0 }) !== sandboxName({ ...ours, attempt: 0 })) {
		throw invalidArgument(
			`sandbox_config is of pod ${theirs.namespace}/${theirs.name} (${theirs.uid}), ` +
				`but sandbox ${id} is of ${ours.namespace}/${ours.name} (${ours.uid})`,
		);
	}
	const folder = given?.log_directory ?? '';
	if (folder === '' || folder === config.log_directory) return;
	throw invalidArgument(
		`sandbox_config.log_directory is ${JSON.stringify(folder)}, but sandbox ${id} was run with ${JSON.stringify(config.log_directory)}`,
	);
}

function imageOf({ images }: Daemon, { image }: ContainerConfig): Image {
	const reference = image?.image ?? '';
	if (reference === '') throw invalidArgument('config.image.image is empty');
	checkRuntimeHandler('config.image.runtime_handler', image?.runtime_handler ?? '');
	if (reference.startsWith('/')) {
		throw invalidArgument(
			`config.image.image is the path ${reference}: RestorePod has the processes from its own checkpoint; name the image`,
		);
	}
	const found = images.find(reference);
	if (found === undefined) throw notFound(`Image ${reference} is not on this node; pull it first`);
	return found;
}

/** A privileged container in an unprivileged sandbox would get around whoever allowed the sandbox. */
function checkPrivileged(security: LinuxContainerSecurityContext | undefined, sandbox: Sandbox): boolean {
	if (!security?.privileged) return false;
	if (sandbox.metadata.config.linux?.security_context?.privileged) return true;
	throw failedPrecondition(
		`A privileged container is not allowed in sandbox ${sandbox.metadata.id}: its config does not say privileged`,
	);
}
