/** bare/: the C program that asks the kernel for what a pod's start and end take, and for nothing else. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { silentLog } from '#base/log.ts';
import { loadSeccompProfile, nativeBinary, startLauncher } from '#runtime';
import { deviceProgram } from '../../runtime/cgroup/device-program.ts';
import { normalizeRules } from '../../runtime/cgroup/devices.ts';
import { OPTIONS } from '../../src/config/options.ts';
import { PAUSE_FILTER } from '../../src/sandbox/pause-filter.ts';
import { makePauseRoot } from '../../src/sandbox/pause-root.ts';
import { busyboxEntries } from '../support/registry.ts';
import { makeTar } from '../support/tar.ts';

const SOURCES = fileURLToPath(new URL('bare', import.meta.url));
const PROFILE = new URL('../../conf/seccomp.json', import.meta.url);
const TIMEOUT_MS = 120_000;
const run = promisify(execFile);

/** Times are in microseconds. */
export interface BarePhase {
	/** The CRI calls that do this, as calls.ts names them. */
	readonly name: string;
	readonly median_us: number;
	/** One for each round: its stages together. */
	readonly sums_us: readonly number[];
	readonly stages: readonly { readonly name: string; readonly median_us: number }[];
}

/** What it prints. */
export interface BareResult {
	readonly rounds: number;
	readonly calls: readonly BarePhase[];
	/** What the kernel does after a pod's end, for which no call waits. */
	readonly background: BarePhase;
}

/** Makes `folder`, as bare/bare.h wants it, with the program in it. Returns the program's path. */
export async function prepareBare(folder: string, name: string): Promise<string> {
	mkdirSync(folder);
	execFileSync('make', ['-s', '-C', SOURCES, `BUILD=${folder}`], { stdio: ['ignore', 'inherit', 'inherit'] });
	await makePauseRoot(folder, dirname(nativeBinary('pause')));
	const layer = join(folder, 'layer');
	mkdirSync(layer);
	execFileSync('tar', ['-x', '-C', layer], { input: makeTar(busyboxEntries()) });
	for (const file of ['resolv.conf', 'hosts', 'hostname']) writeFileSync(join(folder, file), '');
	writeFileSync(join(folder, 'devices.program'), deviceProgram(normalizeRules([{ allow: false }])));
	await writeFilters(folder, name);
	return join(folder, 'bare');
}

/** Pause's filter, and what Gantry's default profile compiles to with a container's capabilities. */
async function writeFilters(folder: string, instance: string): Promise<void> {
	const launcher = await startLauncher({ binary: nativeBinary('gantry-shim'), instance, log: silentLog });
	try {
		const capabilities = OPTIONS['runtime.default_capabilities'].default;
		const conditions = { capabilities, arch: process.arch, kernel: release() };
		const container = loadSeccompProfile(readFileSync(PROFILE, 'utf8'), conditions);
		for (const [file, profile] of Object.entries({ sandbox: PAUSE_FILTER, container }))
			writeFileSync(join(folder, `${file}.filter`), await launcher.compileSeccomp(profile));
	} finally {
		await launcher.close();
	}
}

/** Lives so many pods one after the other. `name` begins what is made on the machine; nothing of it is left. */
export async function runBare(folder: string, name: string, rounds: number): Promise<BareResult> {
	const program = await prepareBare(folder, name);
	const { stdout } = await run(program, [name, folder, `${rounds}`], { timeout: TIMEOUT_MS });
	return JSON.parse(stdout) as BareResult;
}
