import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { aborted, internal } from '#base/errors.ts';
import { withRollback } from '#base/rollback.ts';
import type { RunPodSandboxRequest } from '#cri-api';
import type { CreatedContainer, Shim } from '#runtime';
import type { NetworkResult, PreparedNetwork } from '../network/types.ts';
import type { Call, Daemon } from '../server/types.ts';
import { sandboxSpec } from '../spec/sandbox-spec.ts';
import type { Holder } from '../store/names.ts';
import { cgroupsPathOf } from './cgroup-parent.ts';
import { checkSandboxRequest, type SandboxRequest } from './check-request.ts';
import { CleanUp } from './clean-up.ts';
import { nowNs } from './clock.ts';
import { sandboxName } from './metadata.ts';
import { writeNetworkFiles, writePodFiles } from './pod-files.ts';
import { watchShim } from './shim-events.ts';
import { sandboxSpecInput } from './spec-input.ts';
import { teardownSandbox } from './teardown.ts';
import { Timeline } from './timeline.ts';
import type { Sandbox, SandboxMetadata, SandboxStatus } from './types.ts';

/** What one run works with. */
interface Run {
	readonly daemon: Daemon;
	readonly request: SandboxRequest;
	readonly metadata: SandboxMetadata;
	readonly hostname: string;
	readonly timeline: Timeline;
	readonly signal: AbortSignal;
}

/**
 * RunPodSandbox. Answers the id of a ready sandbox. A call with the same metadata while this one runs joins it; it
 * goes on when its client leaves. On failure everything is taken back.
 */
export async function runSandbox(daemon: Daemon, request: RunPodSandboxRequest, call: Call): Promise<string> {
	const checked = checkSandboxRequest(request, daemon.config, daemon.containers.host);
	return await daemon.sandboxes.names.claim(sandboxName(checked.metadata), call.signal, (holder) =>
		makeSandbox(daemon, checked, holder, call),
	);
}

async function makeSandbox(
	daemon: Daemon,
	request: SandboxRequest,
	holder: Holder,
	call: Call,
): Promise<void> {
	const run: Run = {
		daemon,
		request,
		metadata: newMetadata(daemon, request, holder.id),
		hostname: request.hostname || holder.id.slice(0, 12),
		timeline: new Timeline(holder, call.stage),
		// Not the client's: a retry is to find the result.
		signal: AbortSignal.timeout(daemon.config.runtime.createTimeoutSeconds * 1000),
	};
	const { metadata, timeline } = run;
	await withRollback(async (rollback) => {
		let status: SandboxStatus = NEW_STATUS;
		rollback.push(`sandbox ${metadata.id}`, () => takeBack(daemon, { metadata, status }));
		await timeline.stage('files', () => makeFolder(run));
		const prepared = await timeline.stage('network.prepare', () => prepareNetwork(run));
		if (prepared !== undefined) rollback.push('the preparation of the network', () => prepared.abandon());
		const shim = await timeline.stage('shim', () => startShim(run));
		status = { ...status, shim: shim.process };
		const created = await timeline.stage('create', () => createProcess(run, shim, prepared));
		status = { ...status, pause: created.process };
		await timeline.stage('start', () => shim.start(metadata.id, { signal: run.signal }));
		const network = await timeline.stage('network.result', () => networkResult(run, prepared));
		status = { ...status, network, state: 'ready' };
		await timeline.stage('publish', () => publish(run, shim, { metadata, status }));
	});
}

const NEW_STATUS: SandboxStatus = {
	state: 'notready',
	shim: undefined,
	pause: undefined,
	network: undefined,
	reason: '',
	message: '',
	networkReleased: false,
	timeline: [],
};

function newMetadata({ sandboxes }: Daemon, request: SandboxRequest, id: string): SandboxMetadata {
	return {
		id,
		config: request.config,
		runtimeHandler: request.runtimeHandler,
		cgroupParent: request.cgroupParent,
		createdAtNs: nowNs(),
		folder: sandboxes.records.folderOf(id),
		hostNetwork: request.namespaces.hostNetwork,
	};
}

async function takeBack(daemon: Daemon, sandbox: Sandbox): Promise<void> {
	(await teardownSandbox(daemon, sandbox, new CleanUp())).throwIfFailed(
		`Cannot take back sandbox ${sandbox.metadata.id}`,
	);
}

/** The record comes first: whatever is made after it is found by recovery. */
async function makeFolder({ daemon, metadata, hostname, request }: Run): Promise<void> {
	await mkdir(metadata.folder, { mode: 0o711 });
	await daemon.sandboxes.records.save(metadata.id, 'making', { metadata, status: NEW_STATUS });
	await writePodFiles(metadata.folder, hostname, request);
}

async function prepareNetwork({
	daemon,
	metadata,
	hostname,
	request,
}: Run): Promise<PreparedNetwork | undefined> {
	if (metadata.hostNetwork) return undefined;
	const { name, namespace, uid } = request.metadata;
	return await daemon.network.prepare({
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
	});
}

async function startShim({ daemon, metadata, signal }: Run): Promise<Shim> {
	const { shims } = daemon.sandboxes;
	const socketPath = shims.socketPath(metadata.id);
	await daemon.launcher.startShim({ sandboxId: metadata.id, socketPath, signal });
	const shim = await shims.connect(socketPath);
	await watchShim(daemon, metadata.id, shim);
	return shim;
}

async function createProcess(
	run: Run,
	shim: Shim,
	prepared: PreparedNetwork | undefined,
): Promise<CreatedContainer> {
	const { daemon, metadata, hostname, request, signal } = run;
	const input = await sandboxSpecInput(daemon, { metadata, hostname, request, hooks: prepared?.hooks ?? {} });
	return await shim.create({
		id: metadata.id,
		bundle: join(metadata.folder, 'bundle'),
		spec: sandboxSpec(input),
		pins: prepared?.pins ?? [],
		signal,
	});
}

async function networkResult(
	run: Run,
	prepared: PreparedNetwork | undefined,
): Promise<NetworkResult | undefined> {
	if (prepared === undefined) return undefined;
	const result = await prepared.result();
	await writeNetworkFiles(run.metadata.folder, run.hostname, run.request, result);
	return result;
}

async function publish({ daemon, metadata, timeline }: Run, shim: Shim, sandbox: Sandbox): Promise<void> {
	const { sandboxes, events } = daemon;
	const published: Sandbox = { metadata, status: { ...sandbox.status, timeline: timeline.stages } };
	await sandboxes.records.save(metadata.id, 'made', published);
	if (sandboxes.shims.get(metadata.id) !== shim)
		throw aborted(`The shim of sandbox ${metadata.id} ended while it was made`);
	if (published.status.pause === undefined) throw internal(`Sandbox ${metadata.id} has no process`);
	sandboxes.add(published);
	const about = { sandboxId: metadata.id, containerId: metadata.id };
	events.publish({ type: 'CONTAINER_CREATED_EVENT', ...about, atNs: metadata.createdAtNs });
	events.publish({ type: 'CONTAINER_STARTED_EVENT', ...about, atNs: nowNs() });
}
