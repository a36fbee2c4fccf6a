/** The kernel's own share of a pod's life: what is left when everything but the system calls is taken away. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BarePhase, type BareResult, runBare } from './bare-program.ts';
import { KERNEL, type Samples } from './figures.ts';
import type { Bench } from './part.ts';
import { CALLS, READY } from './pod-life.ts';
import { machineName } from './private-machine.ts';

export async function measureKernel({ options, samples }: Bench): Promise<void> {
	const aside = mkdtempSync(join(tmpdir(), 'bench-bare-'));
	try {
		addKernel(samples, await runBare(join(aside, 'pod'), `${machineName()}k`, options.short ? 3 : 60));
	} finally {
		rmSync(aside, { recursive: true, force: true });
	}
}

/** The sums stand beside the calls, the stages in tables of their own. */
export function addKernel(samples: Samples, { calls, background }: BareResult): void {
	const call = { part: CALLS, unit: 'ms', better: 'less' } as const;
	for (const { name, sums_us } of [...calls, readyOf(calls)])
		for (const us of sums_us) samples.add({ ...call, name }, KERNEL, us / 1000);
	for (const { name, stages } of [...calls, background])
		for (const stage of stages) {
			const figure = { part: `kernel: ${name}`, name: stage.name, unit: 'µs', better: 'less' } as const;
			samples.add(figure, KERNEL, stage.median_us);
		}
}

/** The first two calls, round by round. */
function readyOf([run, start]: BareResult['calls']): Pick<BarePhase, 'name' | 'sums_us'> {
	const sums = run?.sums_us.map((us, round) => us + (start?.sums_us[round] ?? Number.NaN)) ?? [];
	return { name: READY, sums_us: sums };
}
