import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StatusError } from '#base/errors.ts';
import type { Launcher, ProgramResult } from '../types.ts';
import { Criu } from './criu.ts';

const NEWER_KERNEL = 'Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds\n';

/** A launcher with a CRIU of this version; `complaint`: what `criu check` says before it fails. */
function launcherWith(version: string, complaint = ''): Pick<Launcher, 'run'> & { runs: number } {
	return {
		runs: 0,
		async run({ argv }): Promise<ProgramResult> {
			this.runs += 1;
			const isCheck = argv[1] === 'check';
			return {
				exitCode: isCheck && complaint !== '' ? 1 : 0,
				signal: 0,
				timedOut: false,
				truncated: false,
				stdout: Buffer.from(isCheck ? '' : version),
				stderr: Buffer.from(isCheck ? complaint : ''),
			};
		},
	};
}

async function withProgram(work: (path: string) => Promise<void>): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-criu-'));
	try {
		writeFileSync(join(folder, 'criu'), '');
		await work(join(folder, 'criu'));
	} finally {
		rmSync(folder, { recursive: true });
	}
}

const refusal = async (criu: Criu): Promise<string> => {
	const error = (await criu.require('save it').catch((failure: unknown) => failure)) as StatusError;
	assert.equal(error.condition, 'UNIMPLEMENTED');
	return error.message;
};

test('a CRIU that works is asked once, and again when another file is there', () =>
	withProgram(async (path) => {
		const launcher = launcherWith('Version: 3.17.1\nGitID: v3.17.1\n');
		const criu = new Criu(launcher, path);
		assert.equal(await criu.require('save it'), path);
		assert.deepEqual(await criu.look(), { path, version: '3.17.1', problem: '' });
		assert.equal(launcher.runs, 2);
		writeFileSync(path, 'another');
		await criu.look();
		assert.equal(launcher.runs, 4);
	}));

test('what is missing is said, and what to install', async () => {
	assert.match(
		await refusal(new Criu(launcherWith(''), '/nowhere/criu')),
		/no file \/nowhere\/criu.*runtime\.criu_path.*3\.17/,
	);
});

test('too old, silent, or not for this kernel', () =>
	withProgram(async (path) => {
		assert.match(
			await refusal(new Criu(launcherWith('Version: 3.9'), path)),
			/CRIU 3\.9 at .* is too old: install 3\.17/,
		);
		assert.match(await refusal(new Criu(launcherWith('hello'), path)), /does not say its version/);
		assert.match(
			await refusal(new Criu(launcherWith('Version: 3.17.1', NEWER_KERNEL), path)),
			/CRIU 3\.17\.1 at .* does not work with this kernel \(criu check: vdso: Unexpected rt vDSO area bounds\)/,
		);
	}));

test('a look that failed is taken again', () =>
	withProgram(async (path) => {
		const launcher = launcherWith('Version: 4.2');
		const run = launcher.run;
		launcher.run = () => Promise.reject(new Error('the launcher is gone'));
		const criu = new Criu(launcher, path);
		await assert.rejects(criu.look(), /the launcher is gone/);
		launcher.run = run;
		assert.equal((await criu.look()).version, '4.2');
	}));
