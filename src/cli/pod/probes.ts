import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Container, V1Probe } from '@kubernetes/client-node';
import { StatusError } from '#base/errors.ts';
import type { Cli } from '../cli.ts';

const KINDS = ['startupProbe', 'readinessProbe', 'livenessProbe'] as const;
type ProbeKind = (typeof KINDS)[number];

export interface ProbeResult {
	readonly container: string;
	readonly probe: ProbeKind;
	readonly ok: boolean;
	readonly attempts: number;
	/** What the last attempt said, when it failed. */
	readonly message: string;
}

/**
 * Each exec probe of a container, until it first succeeds or failureThreshold attempts have failed; then never again.
 * A startup probe that fails keeps the others from being asked.
 */
export async function runProbes(
	cli: Cli,
	container: V1Container,
	containerId: string,
): Promise<readonly ProbeResult[]> {
	const results: ProbeResult[] = [];
	for (const kind of KINDS) {
		const probe = container[kind];
		if (probe === undefined) continue;
		const result = await runProbe(cli, probe, containerId);
		results.push({ container: container.name, probe: kind, ...result });
		if (kind === 'startupProbe' && !result.ok) break;
	}
	return results;
}

async function runProbe(
	cli: Cli,
	probe: V1Probe,
	containerId: string,
): Promise<Pick<ProbeResult, 'ok' | 'attempts' | 'message'>> {
	const { initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3 } = probe;
	await pause(cli, initialDelaySeconds);
	for (let attempts = 1; ; attempts++) {
		const message = await attempt(cli, probe, containerId);
		if (message === undefined) return { ok: true, attempts, message: '' };
		if (attempts >= failureThreshold || cli.signal.aborted) return { ok: false, attempts, message };
		await pause(cli, periodSeconds);
	}
}

/** undefined when the command said yes. */
async function attempt(cli: Cli, probe: V1Probe, containerId: string): Promise<string | undefined> {
	const timeout = probe.timeoutSeconds ?? 1;
	try {
		const request = { container_id: containerId, cmd: probe.exec?.command ?? [], timeout };
		const { exit_code, stdout, stderr } = await cli.call('ExecSync', request, {
			timeoutMs: (timeout + 10) * 1000,
		});
		if (exit_code === 0) return undefined;
		const output = Buffer.from(stderr.length > 0 ? stderr : stdout)
			.toString()
			.trim()
			.split('\n')[0];
		return `exit code ${exit_code}${output ? `: ${output}` : ''}`;
	} catch (error) {
		if (error instanceof StatusError)
			return error.condition === 'DEADLINE_EXCEEDED' ? `no answer within ${timeout} s` : error.message;
		throw error;
	}
}

async function pause(cli: Cli, seconds: number): Promise<void> {
	if (seconds > 0) await sleep(seconds * 1000, undefined, { signal: cli.signal });
}
