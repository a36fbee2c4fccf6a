/**
 * The daemon is killed before, during and after each change that each operation makes (src/base/fault-points.ts).
 * After each kill: what runs still runs, its log has no gap, its address is kept, nothing is on the machine that the
 * daemon does not know, and the retry of the interrupted call succeeds.
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { StatusError } from '#base/errors.ts';
import { FAULT_MOMENTS, FAULT_POINTS, type FaultPoint } from '#base/fault-points.ts';
import { assertNothingStrange } from './look.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { Stage } from './stage.ts';

/** Long enough for the slowest operation. */
const STRIKE_TIMEOUT_MS = 30_000;

/** Lets the daemon die there; answers what its client got, or undefined when that was the end of the connection. */
async function interrupt<T>(
	{ daemon }: Stage,
	fault: string,
	call: () => Promise<T>,
): Promise<{ answer: T } | undefined> {
	const armed = join(daemon.folder, 'fault');
	writeFileSync(armed, fault);
	const outcome = call().then(
		(answer) => ({ answer }),
		(error: StatusError) => ({ error }),
	);
	const timer = setTimeout(() => daemon.process.child.kill('SIGKILL'), STRIKE_TIMEOUT_MS);
	await daemon.died();
	clearTimeout(timer);
	assert.ok(!existsSync(armed), 'the operation never passed there');
	const settled = await outcome;
	if ('answer' in settled) return settled;
	assert.equal(settled.error.condition, 'UNAVAILABLE', settled.error.message);
	return undefined;
}

async function strike(stage: Stage, { prepare }: Scenario, fault: string): Promise<void> {
	await stage.removeOthers();
	const { call, confirm } = await prepare(stage);
	const interrupted = await interrupt(stage, fault, call);
	await stage.daemon.start();
	await assertNothingStrange(stage.daemon, 'after the restart');
	await stage.assertBystanderUnharmed();
	await confirm(interrupted === undefined ? await call() : interrupted.answer);
	await stage.assertOnlyBystander();
}

for (const network of ['builtin', 'cni'] as const) {
	describe(`killed anywhere, ${network} network`, () => {
		let stage: Stage;
		let criuProblem = '';
		before(async () => {
			stage = await Stage.open(network);
			criuProblem = await stage.criuProblem();
		});
		after(() => stage[Symbol.asyncDispose]());

		for (const [operation, scenario] of Object.entries(SCENARIOS)) {
			if (scenario.network !== network) continue;
			const points: readonly FaultPoint[] = FAULT_POINTS[operation as keyof typeof FAULT_POINTS];
			for (const point of points)
				for (const moment of FAULT_MOMENTS)
					it(`${operation}: ${moment} ${point}`, async (t) => {
						if (scenario.needsCriu && criuProblem !== '')
							return t.skip(`checkpoints were NOT tested: ${criuProblem}`);
						await strike(stage, scenario, `${point} ${moment}`);
					});
		}
	});
}
