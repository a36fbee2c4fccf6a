/**
 * A machine of the benchmark's own: it runs again in new network, mount and PID namespaces with an empty /run. The
 * bridges, rules and mounts of every runtime end with it, and so do its processes, whatever happens.
 */
import { spawnSync } from 'node:child_process';

const MARK = 'GANTRY_BENCH_PRIVATE_MACHINE';
const SCRIPT = 'ip link set lo up && mount -t tmpfs -o mode=755 run /run && exec "$@"';
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];

/** True in the run that is there. */
export function isPrivateMachine(): boolean {
	return process.env[MARK] === '1';
}

/** Runs a program of Node there and waits. Returns its exit code. */
export function runOnPrivateMachine(
	file: string,
	args: readonly string[],
	environment: Readonly<Record<string, string>>,
	timeoutMs: number,
): number {
	const command = ['sh', '-ec', SCRIPT, 'sh', process.execPath, file, ...args];
	const run = spawnSync('unshare', [...NAMESPACES, ...command], {
		env: { ...process.env, ...environment, [MARK]: '1' },
		stdio: 'inherit',
		timeout: timeoutMs,
		killSignal: 'SIGKILL',
	});
	if (run.error !== undefined) console.error(`bench: ${run.error.message}`);
	return run.status ?? 1;
}
