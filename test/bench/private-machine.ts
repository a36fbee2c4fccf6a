/**
 * A machine of the benchmark's own: it runs again in new network, mount and PID namespaces with an empty /run. The
 * bridges, rules and mounts of every runtime end with it, and so do its processes, whatever happens; its files and
 * cgroups are removed from outside.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeCgroupsOf } from './cgroups.ts';
import { until } from './wait.ts';

const NAME = 'GANTRY_BENCH_MACHINE';
/** The shell stays, for somebody has to reap what daemons leave behind. */
const SCRIPT = 'ip link set lo up && mount -t tmpfs -o mode=755 run /run && "$@"; exit $?';
/** Ends with the process that started it, and takes everything in its PID namespace along. */
const UNSHARE = [
	...['--pdeathsig', 'KILL', 'unshare', '--kill-child'],
	...['--net', '--mount', '--pid', '--fork', '--mount-proc'],
];
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
const CLEANUP_TIMEOUT_MS = 10_000;

/** True in the run that is there. */
export function isPrivateMachine(): boolean {
	return process.env[NAME] !== undefined;
}

/** What cgroups and instances there begin with, so that they can be found by it from outside. */
export function machineName(): string {
	return process.env[NAME] ?? `b${randomBytes(3).toString('hex')}`;
}

/**
 * Runs a program of Node there, waits, and removes what is left of it. Returns its exit code. `prepare` may put into
 * the folder of temporary files what wants the network, and returns variables for the program's environment.
 */
export async function runOnPrivateMachine(
	file: string,
	args: readonly string[],
	timeoutMs: number,
	prepare: (folder: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<number> {
	const name = machineName();
	const folder = mkdtempSync(join(tmpdir(), 'gantry-bench-'));
	try {
		const env = { ...process.env, ...prepare(folder), TMPDIR: folder, [NAME]: name };
		return await run([process.execPath, file, ...args], env, timeoutMs);
	} finally {
		await until(`the removal of cgroups ${name}*`, async () => removeCgroupsOf(name), CLEANUP_TIMEOUT_MS, 50);
		rmSync(folder, { recursive: true, force: true });
	}
}

async function run(command: readonly string[], env: NodeJS.ProcessEnv, timeoutMs: number): Promise<number> {
	const script = ['sh', '-ec', SCRIPT, 'sh', ...command];
	const child = spawn('setpriv', [...UNSHARE, ...script], {
		env,
		stdio: 'inherit',
		timeout: timeoutMs,
		killSignal: 'SIGKILL',
	});
	let interrupted: number | undefined;
	const interrupt = (signal: NodeJS.Signals): void => {
		interrupted = SIGNALS[signal as keyof typeof SIGNALS];
		child.kill('SIGKILL');
	};
	for (const signal of Object.keys(SIGNALS)) process.on(signal, interrupt);
	const [code] = (await once(child, 'exit')) as [number | null];
	for (const signal of Object.keys(SIGNALS)) process.off(signal, interrupt);
	return interrupted ?? code ?? 1;
}
