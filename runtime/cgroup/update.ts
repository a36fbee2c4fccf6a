import { constants, existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, failedPrecondition, fromSystemError, internal, messageOf, notFound } from '#base/errors.ts';
import type { LimitWrite } from './limits.ts';

/** Never makes a file: a limit that is not there must not look written. */
const EXISTING = constants.O_WRONLY | constants.O_TRUNC;

interface Done {
	readonly path: string;
	readonly before: string;
}

/**
 * Writes limits to a living cgroup, all or nothing. Some depend on each other (memory and memory+swap of v1, quota
 * and period): a write that the kernel refuses is tried again after the others, until nothing moves any more.
 */
export async function writeLimits(writes: readonly LimitWrite[]): Promise<void> {
	const done: Done[] = [];
	try {
		await settle(writes, done);
	} catch (error) {
		const failures = await restore(done);
		if (failures.length > 0 && error instanceof Error) error.message += ` (clean-up: ${failures.join('; ')})`;
		throw error;
	}
}

async function settle(writes: readonly LimitWrite[], done: Done[]): Promise<void> {
	let waiting = writes;
	while (waiting.length > 0) {
		const refused: { write: LimitWrite; error: unknown }[] = [];
		for (const write of waiting) {
			try {
				await writeOne(write, done);
			} catch (error) {
				if (!isRefusal(error)) throw explain(write, error);
				refused.push({ write, error });
			}
		}
		const [first] = refused;
		if (first !== undefined && refused.length === waiting.length) throw explain(first.write, first.error);
		waiting = refused.map(({ write }) => write);
	}
}

async function writeOne({ path, value, optional }: LimitWrite, done: Done[]): Promise<void> {
	let before: string;
	try {
		before = (await readFile(path, 'utf8')).trim();
		await writeFile(path, value, { flag: EXISTING });
	} catch (error) {
		if (optional && errnoOf(error) === 'ENOENT') return;
		throw error;
	}
	done.push({ path, before });
}

/** Newest first; here too an order may be refused at first. */
async function restore(done: readonly Done[]): Promise<string[]> {
	const back = done.toReversed().map(({ path, before }) => ({ path, value: before, optional: false }));
	try {
		await settle(back, []);
		return [];
	} catch (error) {
		return [messageOf(error)];
	}
}

const isRefusal = (error: unknown): boolean => ['EINVAL', 'EBUSY', 'ERANGE'].includes(errnoOf(error) ?? '');

function explain({ path, value }: LimitWrite, error: unknown) {
	const what = `Cannot write ${value} to ${path}`;
	switch (errnoOf(error)) {
		case 'ENOENT':
			return existsSync(dirname(path))
				? failedPrecondition(`${what}: the kernel of this machine has no such limit`, { cause: error })
				: notFound(`${what}: the cgroup is gone`, { cause: error });
		case 'EBUSY':
			return failedPrecondition(`${what}: EBUSY, the container uses more than that`, { cause: error });
		case 'EINVAL':
		case 'ERANGE':
			return failedPrecondition(`${what}: the kernel does not accept this value here`, { cause: error });
		default:
			return error instanceof Error ? fromSystemError(what, error) : internal(what, { cause: error });
	}
}
