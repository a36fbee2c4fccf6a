/**
 * A host of one's own for network tests: the test file is run again inside a new network namespace, so that the
 * bridges, tables and settings of a test never touch the machine's. An "outside" lies behind a veth pair.
 */
import { spawn, spawnSync } from 'node:child_process';

const INNER_TIMEOUT_MS = 110_000;
const MARK = 'GANTRY_TEST_PRIVATE_HOST';

/** True in the run that is on the private host. In the other run the file must define no tests. */
export function onPrivateHost(file: string): boolean {
	if (process.env[MARK] === '1') return true;
	// The runner's own channel must not be inherited: the inner run reports by its exit code and its text.
	const { NODE_TEST_CONTEXT: _context, ...environment } = process.env;
	const run = spawnSync('unshare', ['--net', process.execPath, '--test-reporter=spec', file], {
		env: { ...environment, [MARK]: '1' },
		stdio: 'inherit',
		timeout: INNER_TIMEOUT_MS,
	});
	process.exitCode = run.status ?? 1;
	return false;
}

export interface Output {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs a program without blocking this process, which may be the one that it talks to. */
export function run(
	argv: readonly string[],
	options: { readonly stdin?: string; readonly argv0?: string } = {},
): Promise<Output> {
	const [program = '', ...args] = argv;
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, {
			stdio: 'pipe',
			...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
		});
		let [stdout, stderr] = ['', ''];
		child.stdout.on('data', (chunk) => {
			stdout += chunk;
		});
		child.stderr.on('data', (chunk) => {
			stderr += chunk;
		});
		child.on('error', reject);
		child.stdin.on('error', () => {});
		child.stdin.end(options.stdin ?? '');
		child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
	});
}

/** Runs a program that must succeed and returns its output. */
export async function must(...argv: string[]): Promise<string> {
	const { code, stdout, stderr } = await run(argv);
	if (code !== 0) throw new Error(`${argv.join(' ')}: ${code}\n${stdout}${stderr}`);
	return stdout;
}

/** Lines of a script of ip(8) and the like, each must succeed. */
export async function script(text: string): Promise<void> {
	for (const line of text.trim().split('\n')) await must('sh', '-ec', line.trim());
}
