/** The files of the network in a sandbox's folder. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '#base/atomic-file.ts';
import { dataLoss, errnoOf } from '#base/errors.ts';
import { CONSTANTS, decodeBody, encodeBody, type NetResult, type NetStep, stepLine } from '#runtime';

export type ProviderName = 'builtin' | 'cni';

/** Which provider the sandbox belongs to, and what that provider noted before it touched anything. */
export interface NetworkNote {
	readonly version: 1;
	readonly provider: ProviderName;
	readonly data: unknown;
}

export const networkFiles = (folder: string) => ({
	note: join(folder, 'net.json'),
	plan: join(folder, 'net-plan'),
	result: join(folder, 'net-result'),
	removePlan: join(folder, 'net-remove-plan'),
	removeResult: join(folder, 'net-remove-result'),
});

/** undefined when there is no such file. At once: they lie on a tmpfs. */
function readIfThere(path: string): Buffer | undefined {
	try {
		return readFileSync(path);
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw error;
	}
}

export const writeNote = (folder: string, provider: ProviderName, data: unknown): void =>
	replaceFile(
		networkFiles(folder).note,
		JSON.stringify({ version: 1, provider, data } satisfies NetworkNote),
	);

/** undefined when there is none; DATA_LOSS when it cannot be read. */
export async function readNote(folder: string): Promise<NetworkNote | undefined> {
	const { note } = networkFiles(folder);
	const text = readIfThere(note);
	if (text === undefined) return undefined;
	try {
		const value = JSON.parse(text.toString()) as NetworkNote;
		if (value.version === 1 && (value.provider === 'builtin' || value.provider === 'cni')) return value;
	} catch {}
	throw dataLoss(`Cannot read the network note ${note}: it is not what this version writes`);
}

/** Writes a plan as the hook reads it: a NET_APPLY payload. */
export const writePlan = (path: string, steps: readonly NetStep[]): void =>
	replaceFile(path, encodeBody('NET_APPLY', { netns_path: '', steps }));

/** Whether the file holds exactly this plan. */
export function isPlan(path: string, steps: readonly NetStep[]): boolean {
	try {
		return readFileSync(path).equals(encodeBody('NET_APPLY', { netns_path: '', steps }));
	} catch {
		return false;
	}
}

export async function readPlan(path: string): Promise<readonly NetStep[] | undefined> {
	const bytes = readIfThere(path);
	return bytes && decodeBody('NET_APPLY', bytes).steps;
}

/** What the hook wrote when it had carried out a plan; undefined when it did not. */
export async function readResults(path: string): Promise<readonly NetResult[] | undefined> {
	const bytes = readIfThere(path);
	return bytes && decodeBody('NET_APPLIED', bytes).results;
}

/** A plan as lines for people, with the time that each step took where that is known. */
export function describePlan(steps: readonly NetStep[], results: readonly NetResult[] = []): string[] {
	const elapsed = new Map(results.map(({ step, elapsed_ns }) => [step, Number(elapsed_ns)]));
	return steps.map(({ ns, label }, index) => {
		const where = ns === CONSTANTS.NET_POD ? 'pod ' : 'host';
		return stepLine(`${where}  ${label}`, elapsed.get(index));
	});
}
