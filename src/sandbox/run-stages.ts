import { join } from 'node:path';
import { changing } from '#base/fault-points.ts';
import {
	type CreatedContainer,
	isHookFailure,
	type PreparedCreate,
	prepareCreate,
	type Shim,
} from '#runtime';
import type { NetworkResult, PreparedNetwork } from '../network/types.ts';
import type { Daemon } from '../server/types.ts';
import { sandboxSpec } from '../spec/sandbox-spec.ts';
import { cgroupsPathOf } from './cgroup-parent.ts';
import type { SandboxRequest } from './check-request.ts';
import { sandboxName } from './metadata.ts';
import { writeNetworkFiles, writePodFiles } from './pod-files.ts';
import { sandboxSpecInput } from './spec-input.ts';
import type { Timeline } from './timeline.ts';
import type { SandboxMetadata, SandboxStatus } from './types.ts';

/** What one run works with. */
export interface Run {
	readonly daemon: Daemon;
	readonly request: SandboxRequest;
	readonly metadata: SandboxMetadata;
	readonly hostname: string;
	readonly timeline: Timeline;
}

/** The status before the first stage. */
export const NEW_STATUS: SandboxStatus = {
	state: 'notready',
	shim: undefined,
	pause: undefined,
	network: undefined,
	reason: '',
	message: '',
	networkReleased: false,
	timeline: [],
};

/** The record comes first: whatever is made after it is found by recovery. */
export async function makeFolder({ daemon, metadata }: Run): Promise<void> {
	await changing('run.folder', () => daemon.sandboxes.records.makeFolder(metadata.id));
	await changing('run.making', () =>
		daemon.sandboxes.records.save(metadata.id, 'making', { metadata, status: NEW_STATUS }),
	);
}

export async function makeFiles(
	{ daemon, metadata, hostname, request }: Run,
	network: PreparedNetwork | undefined,
): Promise<void> {
	const folder = daemon.sandboxes.filesOf(metadata.id);
	await changing('run.files', () => writePodFiles(folder, hostname, request, network?.ips ?? []));
}

export async function prepareNetwork({
	daemon,
	metadata,
	hostname,
	request,
}: Run): Promise<PreparedNetwork | undefined> {
	if (metadata.hostNetwork) return undefined;
	const { name, namespace, uid } = request.metadata;
	// The same call may have been under way when an earlier daemon was killed: what that made holds the ports.
	if (request.portMappings.some(({ hostPort }) => hostPort !== 0))
		await daemon.sandboxes.takenBack(sandboxName(request.metadata));
	const wanted = {
		sandboxId: metadata.id,
		namespace,
		name,
		uid,
		hostname,
		portMappings: request.portMappings,
		dns: request.dns,
		annotations: request.config.annotations,
		labels: request.config.labels,
		cgroupPath: cgroupsPathOf(metadata.cgroupParent, daemon.config.instance, metadata.id),
		folder: metadata.folder,
	};
	return await changing('network.prepare', () => daemon.network.prepare(wanted));
}

export async function startShim({ daemon, metadata, request, timeline }: Run): Promise<Shim> {
	const { shims } = daemon.sandboxes;
	const { hostNetwork, user } = request.namespaces;
	const socketPath = shims.socketPath(metadata.id);
	await changing('shim.start', () =>
		daemon.launcher.startShim({
			sandboxId: metadata.id,
			socketPath,
			network: !hostNetwork && user === undefined,
			signal: timeline.signal,
		}),
	);
	return await changing('shim.adopt', () => shims.connect(socketPath));
}

/** Everything about its process that needs no shim. */
export async function planProcess(run: Run, network: PreparedNetwork | undefined): Promise<PreparedCreate> {
	const { daemon, metadata, hostname, request, timeline } = run;
	const { cgroups, launcher, config } = daemon;
	const input = await sandboxSpecInput(daemon, { metadata, hostname, request, hooks: network?.hooks ?? {} });
	return await prepareCreate(
		{ cgroups, launcher, instance: config.instance },
		{
			id: metadata.id,
			bundle: join(metadata.folder, 'bundle'),
			spec: sandboxSpec(input),
			pins: network?.pins ?? [],
			startAtOnce: true,
			signal: timeline.signal,
		},
	);
}

export async function createProcess(
	{ daemon }: Run,
	shim: Shim,
	prepared: PreparedCreate,
): Promise<CreatedContainer> {
	try {
		const created = await shim.createPrepared(prepared);
		daemon.metrics.planSteps(created.timings);
		return created;
	} catch (error) {
		// Only the network has hooks.
		if (isHookFailure(error)) daemon.metrics.networkFailed('attach');
		throw error;
	}
}

export async function networkResult(
	run: Run,
	prepared: PreparedNetwork | undefined,
): Promise<NetworkResult | undefined> {
	if (prepared === undefined) return undefined;
	const result = await prepared.result();
	const { daemon, metadata } = run;
	await changing('run.network-files', () =>
		writeNetworkFiles(
			daemon.sandboxes.filesOf(metadata.id),
			run.hostname,
			run.request,
			result,
			prepared.ips !== undefined,
		),
	);
	return result;
}
