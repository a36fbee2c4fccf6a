import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { deadlineExceeded, messageOf, type StatusError, unavailable } from '#base/errors.ts';
import type { Launcher, ProgramResult } from '#runtime';
import { isObject, type Json } from './config.ts';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS';

export interface PluginCall {
	readonly command: CniCommand;
	readonly type: string;
	/** Configuration with everything added, as it goes to standard input. */
	readonly config: Json;
	/** CNI_CONTAINERID and so on, without CNI_COMMAND and CNI_PATH. */
	readonly environment: Readonly<Record<string, string>>;
}

export interface PluginRunner {
	/** The path of a plugin program. UNAVAILABLE naming the folders when there is none. */
	find(type: string): Promise<string>;
	/** What the plugin answered; `{}` when it answered nothing. Its error becomes UNAVAILABLE with code, msg and details. */
	run(call: PluginCall): Promise<Json>;
}

const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Runs plugin programs through the launcher. */
export function createPluginRunner(
	launcher: Pick<Launcher, 'run'>,
	{ binDirs, timeoutMs }: { readonly binDirs: readonly string[]; readonly timeoutMs: number },
): PluginRunner {
	const find = async (type: string): Promise<string> => {
		for (const folder of binDirs) {
			const path = join(folder, type);
			if (
				await access(path, constants.X_OK).then(
					() => true,
					() => false,
				)
			)
				return path;
		}
		throw unavailable(
			`CNI plugin ${type} is not in ${binDirs.join(', ')}: install it, or set network.cni_bin_dirs`,
		);
	};
	const run = async ({ command, type, config, environment }: PluginCall): Promise<Json> => {
		const path = await find(type);
		const variables = { ...process.env, ...environment, CNI_COMMAND: command, CNI_PATH: binDirs.join(':') };
		const result = await launcher.run({
			argv: [path],
			env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
			stdin: Buffer.from(JSON.stringify(config)),
			timeoutMs,
			maxOutputBytes: MAX_OUTPUT_BYTES,
		});
		if (result.timedOut)
			throw deadlineExceeded(
				`CNI plugin ${type} failed at ${command}: it did not end within ${timeoutMs / 1000} s`,
			);
		return answerOf(command, type, result);
	};
	return { find, run };
}

function answerOf(command: CniCommand, type: string, result: ProgramResult): Json {
	const what = `CNI plugin ${type} failed at ${command}`;
	const text = result.stdout.toString('utf8').trim();
	if (result.exitCode !== 0 || result.signal !== 0) throw failure(what, text, result);
	if (text === '') return {};
	const answer = parseObject(text);
	if (answer === undefined || result.truncated)
		throw unavailable(`${what}: its answer is no JSON object: ${text.slice(0, 200)}`);
	return answer;
}

/** The specification's error object, or else whatever the plugin said. */
function failure(what: string, text: string, { exitCode, signal, stderr }: ProgramResult): StatusError {
	const error = parseObject(text);
	if (error !== undefined && typeof error.msg === 'string') {
		const details = typeof error.details === 'string' && error.details !== '' ? ` (${error.details})` : '';
		const code = typeof error.code === 'number' ? ` [code ${error.code}]` : '';
		return unavailable(`${what}: ${error.msg}${details}${code}`);
	}
	const ending = signal === 0 ? `exit status ${exitCode}` : `signal ${signal}`;
	const said = (text || stderr.toString('utf8').trim()).slice(-500);
	return unavailable(`${what}: ${ending}${said === '' ? '' : `: ${said}`}`);
}

function parseObject(text: string): Json | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return isObject(value) ? value : undefined;
	} catch {
		return undefined;
	}
}

/** A sentence for each failure of work that goes on in spite of it. */
export async function attempt(work: () => Promise<unknown>): Promise<string[]> {
	try {
		await work();
		return [];
	} catch (error) {
		return [messageOf(error)];
	}
}
