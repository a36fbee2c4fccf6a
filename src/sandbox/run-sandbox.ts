import { allOf } from '#base/all-of.ts';
import { aborted, messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { withRollback } from '#base/rollback.ts';
import type { RunPodSandboxRequest } from '#cri-api';
import type { PreparedCreate, Shim } from '#runtime';
import type { PreparedNetwork } from '../network/types.ts';
import type { Call, Daemon } from '../server/types.ts';
import { toJson } from '../store/json.ts';
import type { Holder } from '../store/names.ts';
import { checkSandboxRequest, type SandboxRequest } from './check-request.ts';
import { nowNs } from './clock.ts';
import { sandboxHostname } from './hostname.ts';
import { cgroupsToMake } from './made-cgroups.ts';
import { sandboxName } from './metadata.ts';
import { removeSandbox } from './remove-sandbox.ts';
import {
	createProcess,
	makeFiles,
	makeFolder,
	NEW_STATUS,
	networkResult,
	planProcess,
	prepareNetwork,
	type Run,
	startShim,
} from './run-stages.ts';
import { catchUp, watchShim } from './shim-events.ts';
import { takeBack } from './take-back.ts';
import { teardownSandbox } from './teardown.ts';
import { Timeline } from './timeline.ts';
import type { Sandbox, SandboxMetadata, SandboxStatus } from './types.ts';

/** What is to be in a sandbox before anybody is told of it. */
export interface Filling {
	/** Tells it from other ways to make a sandbox of that name. */
	readonly by: string;
	readonly fill: (sandbox: Sandbox) => Promise<void>;
	/** The same was filled in by an earlier daemon, and nobody has done anything with it. */
	readonly isUntouched: (sandbox: Sandbox) => boolean;
}

/**
 * RunPodSandbox. Answers the id of a ready sandbox. A call with the same metadata while this one runs joins it; it
 * goes on when its client leaves. On failure everything is taken back.
 */
export async function runSandbox(
	daemon: Daemon,
	request: RunPodSandboxRequest,
	call: Call,
	filling?: Filling,
): Promise<string> {
	const checked = checkSandboxRequest(request, daemon.config, daemon.containers.host);
	return await daemon.sandboxes.names.claim(sandboxName(checked.metadata), {
		signal: call.signal,
		...(filling && { by: filling.by }),
		make: (holder) =>
			filling === undefined
				? makeSandbox(daemon, checked, holder, call)
				: makeFilled(daemon, holder.id, filling, () => makeSandbox(daemon, checked, holder, call)),
		isRetryFor: (id) => isUnused(daemon, checked, id, filling),
	});
}

/** Asked for in the same words, and nobody has done anything with it: whoever asked was not told of it. */
function isUnused(
	{ sandboxes, containers }: Daemon,
	request: SandboxRequest,
	id: string,
	filling: Filling | undefined,
): boolean {
	const sandbox = sandboxes.get(id);
	if (sandbox?.status.state !== 'ready') return false;
	if (toJson(sandbox.metadata.config) !== toJson(request.config)) return false;
	return filling?.isUntouched(sandbox) ?? containers.ofSandbox(id).length === 0;
}

/** Until it is filled its record says that it is being removed: a daemon that is killed leaves none half full. */
async function makeFilled(
	daemon: Daemon,
	id: string,
	{ fill }: Filling,
	make: () => Promise<void>,
): Promise<void> {
	const { sandboxes } = daemon;
	sandboxes.filling.add(id);
	try {
		await make();
		const made = sandboxes.get(id);
		if (made !== undefined) await fill(made);
		sandboxes.filling.delete(id);
		const filled = sandboxes.get(id);
		if (filled === undefined || sandboxes.removals.has(id))
			throw aborted(`Sandbox ${id} was removed while it was filled`);
		await changing('restore.made', () => sandboxes.records.save(id, 'made', filled));
	} catch (error) {
		await removeSandbox(daemon, id).catch((failure: unknown) =>
			daemon.log.error('a sandbox that could not be filled is left', { id, error: messageOf(failure) }),
		);
		throw error;
	} finally {
		sandboxes.filling.delete(id);
	}
}

async function makeSandbox(
	daemon: Daemon,
	request: SandboxRequest,
	holder: Holder,
	call: Call,
): Promise<void> {
	const metadata = newMetadata(daemon, request, holder.id);
	daemon.sandboxes.unpublished.set(metadata.id, metadata);
	const timeline = new Timeline(holder, call.stage, daemon.config.runtime.createTimeoutSeconds);
	const run: Run = { daemon, request, metadata, hostname: sandboxHostname(metadata), timeline };
	await withRollback(async (rollback) => {
		let status: SandboxStatus = NEW_STATUS;
		const what = `sandbox ${metadata.id}`;
		rollback.push(what, () => takeBack(daemon, what, () => teardownSandbox(daemon, { metadata, status })));
		await timeline.stage('record', () => makeFolder(run));
		// Nobody needs the shim before it is asked for the process.
		const [shim, { network: prepared, process }] = await allOf([
			timeline.stage('shim', async () => {
				const started = await startShim(run);
				status = { ...status, shim: started.process };
				return started;
			}),
			planned(run),
		]);
		// The shim answers in order: it tells of what happens to the process from the beginning. The files are for
		// containers.
		const [, created] = await allOf([
			watchShim(daemon, metadata.id, shim),
			timeline.stage('create', () => createProcess(run, shim, process)),
			timeline.stage('files', () => makeFiles(run, prepared)),
		]);
		status = { ...status, pause: created.process };
		const network = await timeline.stage('network.result', () => networkResult(run, prepared));
		status = { ...status, network, state: 'ready' };
		await timeline.stage('publish', () => publish(run, shim, { metadata, status }));
	});
}

async function planned(run: Run): Promise<{ network: PreparedNetwork | undefined; process: PreparedCreate }> {
	const network = await run.timeline.stage('network.prepare', () => prepareNetwork(run));
	const process = await run.timeline.stage('plan', () => planProcess(run, network));
	return { network, process };
}

function newMetadata(daemon: Daemon, request: SandboxRequest, id: string): SandboxMetadata {
	return {
		id,
		config: request.config,
		runtimeHandler: request.runtimeHandler,
		cgroupParent: request.cgroupParent,
		madeCgroups: cgroupsToMake(daemon, request.cgroupParent),
		createdAtNs: nowNs(),
		folder: daemon.sandboxes.records.folderOf(id),
		hostNetwork: request.namespaces.hostNetwork,
	};
}

async function publish({ daemon, metadata, timeline }: Run, shim: Shim, sandbox: Sandbox): Promise<void> {
	const { sandboxes, events } = daemon;
	const published: Sandbox = { metadata, status: { ...sandbox.status, timeline: timeline.stages } };
	await changing('run.made', () =>
		sandboxes.records.save(metadata.id, sandboxes.phaseOf(metadata.id), published),
	);
	if (sandboxes.shims.get(metadata.id) !== shim)
		throw aborted(`The shim of sandbox ${metadata.id} ended while it was made`);
	sandboxes.add(published);
	const about = { sandboxId: metadata.id, containerId: metadata.id };
	events.publish({ type: 'CONTAINER_CREATED_EVENT', ...about, atNs: metadata.createdAtNs });
	events.publish({ type: 'CONTAINER_STARTED_EVENT', ...about, atNs: nowNs() });
	void catchUp(daemon, metadata.id);
}
