import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { alreadyExists, failedPrecondition, StatusError } from '#base/errors.ts';
import type { ContainerStatus, PodSandboxConfigInit } from '#cri-api';
import type { Cli } from '../cli.ts';
import { follow } from '../logs/follow.ts';
import { LogJoiner } from '../logs/parse.ts';
import { listPods } from '../lookup.ts';
import type { PulledImage } from '../pull-image.ts';
import { containerConfig, containersOf, type PodContainer } from './container-config.ts';
import { dnsOf } from './dns.ts';
import type { PodFacts } from './env.ts';
import { type PodFolders, podFolders, removePodFolders } from './folders.ts';
import { hostsMount } from './hosts-file.ts';
import { ensureImages } from './images.ts';
import type { Manifest } from './manifest.ts';
import { type ProbeResult, runProbes } from './probes.ts';
import { sandboxConfig } from './sandbox-config.ts';
import { mountsOf, prepareVolumes, type Volumes } from './volumes.ts';

/** Making a container may wait for hooks and the network. */
const CREATE_TIMEOUT_MS = 5 * 60 * 1000;
const POLL_MS = 20;

/** What a run tells while it goes on. */
export interface RunEvents {
	pulled(image: PulledImage): void;
	podRuns(ips: readonly string[], elapsedUs: number): void;
	containerRuns(entry: PodContainer, elapsedUs: number): void;
	initDone(entry: PodContainer, elapsedUs: number): void;
	probed(result: ProbeResult): void;
}

export interface RunResult {
	readonly podId: string;
	readonly name: string;
	readonly namespace: string;
	readonly uid: string;
	readonly ips: readonly string[];
	readonly containers: readonly { readonly name: string; readonly kind: string; readonly id: string }[];
	readonly probes: readonly ProbeResult[];
}

/** What every step of one run shares. */
interface Run {
	readonly cli: Cli;
	readonly manifest: Manifest;
	readonly uid: string;
	readonly podId: string;
	readonly sandbox: PodSandboxConfigInit;
	readonly facts: PodFacts;
	readonly folders: PodFolders;
	readonly volumes: Volumes;
	readonly refs: ReadonlyMap<string, string>;
	readonly events: RunEvents;
}

/** Runs a pod as a kubelet would, once. When it fails, everything of it is removed again. */
export async function runPod(cli: Cli, manifest: Manifest, events: RunEvents): Promise<RunResult> {
	const { pod } = manifest;
	await refuseTwice(cli, pod);
	const { refs } = await ensureImages(cli, pod, events.pulled);
	const uid = pod.metadata?.uid ?? randomUUID();
	const daemonFolders = await cli.folders();
	const folders = podFolders(daemonFolders, uid);
	let podId: string | undefined;
	try {
		const volumes = await prepareVolumes(pod, folders, refs);
		const sandbox = sandboxConfig(pod, {
			uid,
			logFolder: folders.logs,
			dns: await dnsOf(pod),
			manifestFolder: folderOf(manifest),
		});
		const started = performance.now();
		podId = (await cli.call('RunPodSandbox', { config: sandbox }, { timeoutMs: CREATE_TIMEOUT_MS }))
			.pod_sandbox_id;
		const ips = await ipsOf(cli, podId);
		events.podRuns(ips, since(started));
		const run: Run = {
			cli,
			manifest,
			uid,
			podId,
			sandbox,
			facts: { pod, uid, ips },
			folders,
			volumes,
			refs,
			events,
		};
		return await startContainers(run);
	} catch (error) {
		await takeBack(cli, podId, () => removePodFolders(daemonFolders, uid));
		throw error;
	}
}

async function refuseTwice(cli: Cli, pod: V1Pod): Promise<void> {
	const { name, namespace = 'default' } = pod.metadata ?? {};
	const other = (await listPods(cli)).find(
		({ metadata }) => metadata?.name === name && metadata?.namespace === namespace,
	);
	if (other !== undefined)
		throw alreadyExists(
			`Pod ${name} in namespace ${namespace} is here already (${other.id.slice(0, 13)}); remove it with "gantry rm ${name}"`,
		);
}

async function ipsOf(cli: Cli, podId: string): Promise<readonly string[]> {
	const { status } = await cli.call('PodSandboxStatus', { pod_sandbox_id: podId });
	const first = status?.network?.ip ?? '';
	return [first, ...(status?.network?.additional_ips ?? []).map(({ ip }) => ip)].filter((ip) => ip !== '');
}

/** Init containers one after another, sidecars on the way, then the main ones; last the probes. */
async function startContainers(run: Run): Promise<RunResult> {
	const { pod } = run.manifest;
	const containers: { name: string; kind: string; id: string }[] = [];
	const probes: ProbeResult[] = [];
	for (const entry of containersOf(pod)) {
		const id = await startContainer(run, entry);
		containers.push({ name: entry.container.name, kind: entry.kind, id });
		if (entry.kind === 'init') await waitForInit(run, entry, id);
		if (entry.kind === 'sidecar') probes.push(...(await probe(run, entry, id)));
	}
	const mains = containersOf(pod).filter(({ kind }) => kind === 'main');
	const idOf = (name: string) => containers.find((container) => container.name === name)?.id ?? '';
	const results = await Promise.all(mains.map((entry) => probe(run, entry, idOf(entry.container.name))));
	const { name = '', namespace = 'default' } = pod.metadata ?? {};
	return {
		podId: run.podId,
		name,
		namespace,
		uid: run.uid,
		ips: run.facts.ips,
		containers,
		probes: [...probes, ...results.flat()],
	};
}

async function startContainer(run: Run, entry: PodContainer): Promise<string> {
	const { cli, manifest, podId, sandbox, facts, refs, volumes, folders } = run;
	const started = performance.now();
	const mounts = [
		...(await mountsOf(entry.container, volumes, entry.path)),
		...(await hostsMount(manifest.pod, facts.ips, folders.disk)),
	];
	const imageRef = refs.get(entry.container.image ?? '') ?? '';
	const config = containerConfig(entry, { facts, imageRef, mounts, manifestFolder: folderOf(manifest) });
	const request = { pod_sandbox_id: podId, config, sandbox_config: sandbox };
	const { container_id } = await cli.call('CreateContainer', request, { timeoutMs: CREATE_TIMEOUT_MS });
	await cli.call('StartContainer', { container_id });
	run.events.containerRuns(entry, since(started));
	return container_id;
}

/** An init container must end with 0 before the next one starts; it is not started again. */
async function waitForInit({ cli, events }: Run, entry: PodContainer, id: string): Promise<void> {
	const started = performance.now();
	const status = await waitForExit(cli, id);
	if (status.exit_code === 0) return events.initDone(entry, since(started));
	const last = await lastLines(status.log_path);
	throw failedPrecondition(
		`Init container ${entry.container.name} ended with exit code ${status.exit_code} (${status.reason})${last}`,
	);
}

async function waitForExit(cli: Cli, id: string): Promise<ContainerStatus> {
	for (;;) {
		const { status } = await cli.call('ContainerStatus', { container_id: id });
		if (status !== null && status.state !== 'CONTAINER_RUNNING' && status.state !== 'CONTAINER_CREATED')
			return status;
		await sleep(POLL_MS, undefined, { signal: cli.signal });
	}
}

/** What the container said last: the pod, with its logs, is about to be removed. */
async function lastLines(logPath: string): Promise<string> {
	const joiner = new LogJoiner();
	const lines: string[] = [];
	for await (const bytes of follow(logPath, { signal: AbortSignal.timeout(5000) }))
		lines.push(...joiner.push(bytes).map(({ text }) => text.toString()));
	return lines.length === 0 ? '; it wrote nothing' : `; it wrote last:\n  ${lines.slice(-5).join('\n  ')}`;
}

async function probe(
	{ cli, events }: Run,
	{ container }: PodContainer,
	id: string,
): Promise<readonly ProbeResult[]> {
	const results = await runProbes(cli, container, id);
	for (const result of results) events.probed(result);
	return results;
}

/** Best effort: the first error is what the user must see. Not stopped by Ctrl-C, which may be why we are here. */
async function takeBack(
	cli: Cli,
	podId: string | undefined,
	removeFolders: () => Promise<void>,
): Promise<void> {
	const client = await cli.client();
	try {
		if (podId !== undefined) {
			await client.call('StopPodSandbox', { pod_sandbox_id: podId }, { timeoutMs: 60_000 });
			await client.call('RemovePodSandbox', { pod_sandbox_id: podId }, { timeoutMs: 60_000 });
		}
		await removeFolders();
	} catch (error) {
		if (!(error instanceof StatusError)) throw error;
		cli.io.err(`gantry: could not take pod ${podId} back: ${error.message}\n`);
	}
}

function folderOf(manifest: Manifest): string {
	return manifest.file === '-' ? process.cwd() : dirname(resolve(manifest.file));
}

function since(started: number): number {
	return (performance.now() - started) * 1000;
}
