import { readFile } from 'node:fs/promises';

/** A process of the C program, as its command line tells (runtime/native/main.c). */
export interface NativeProcess {
	readonly pid: number;
	readonly command: 'shim' | 'launcher';
	readonly instance: string;
	/** Of a shim. */
	readonly sandboxId: string;
}

/** undefined when the process is something else, or gone. */
export async function readNativeProcess(pid: number): Promise<NativeProcess | undefined> {
	const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
	return parseCommandLine(pid, argv);
}

export function parseCommandLine(pid: number, argv: readonly string[]): NativeProcess | undefined {
	const [program = '', command] = argv;
	if (!/(^|\/)gantry-shim$/.test(program) || (command !== 'shim' && command !== 'launcher')) return undefined;
	const after = (flag: string) => (argv.includes(flag) ? (argv[argv.indexOf(flag) + 1] ?? '') : '');
	return { pid, command, instance: after('--instance'), sandboxId: after('--sandbox') };
}
