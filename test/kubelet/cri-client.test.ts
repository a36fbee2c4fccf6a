import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setStage } from '../crictl/stage.ts';

const SOURCE = fileURLToPath(new URL('cri-client', import.meta.url));
const hasGo = spawnSync('go', ['version']).error === undefined;
const run = promisify(execFile);
/** The first build fetches modules and compiles gRPC. */
const BUILD_TIMEOUT_MS = 600_000;

test("the kubelet's own client library walks every call it has", {
	skip: hasGo ? false : "go is not on PATH: the walk with the kubelet's client did NOT run",
	timeout: BUILD_TIMEOUT_MS,
}, async (context) => {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-cri-client-'));
	context.after(() => rmSync(folder, { recursive: true, force: true }));
	const program = join(folder, 'cri-client');
	await run('go', ['build', '-buildvcs=false', '-o', program, '.'], {
		cwd: SOURCE,
		timeout: BUILD_TIMEOUT_MS,
	});
	for (const mode of ['unary', 'stream']) {
		await context.test(`lists by ${mode} calls`, async () => {
			await using stage = await setStage();
			const work = join(stage.daemon.folder, mode);
			mkdirSync(join(work, 'logs'), { recursive: true });
			const { stdout } = await run(program, [stage.daemon.address, stage.image, work, mode], {
				timeout: 100_000,
			});
			assert.match(stdout, /^Version\n[\s\S]*\nRemoveImage\nGetContainerEvents\n$/);
			assert.deepEqual((await stage.daemon.cri.ListPodSandbox()).items, []);
		});
	}
});
