import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unavailable } from '#base/errors.ts';
import { silentLog } from '#base/log.ts';
import type { Launcher } from '#runtime';
import { LauncherKeeper } from './launcher-keeper.ts';

function fakeLauncher(pid: number) {
	const ended = Promise.withResolvers<string>();
	const launcher = {
		pid,
		ended: ended.promise,
		treeUsage: async () => ({ bytes: pid, inodes: 0 }),
		close: async () => ended.resolve('closed'),
	} as unknown as Launcher;
	return { launcher, die: () => ended.resolve('it was killed') };
}

describe('LauncherKeeper', () => {
	it('starts a new launcher when one dies, and calls wait for it', async () => {
		const first = fakeLauncher(1);
		const second = fakeLauncher(2);
		let keeper: LauncherKeeper | undefined;
		let aliveMeanwhile: boolean | undefined;
		const starts: (() => Promise<Launcher>)[] = [
			async () => first.launcher,
			async () => {
				aliveMeanwhile = keeper?.isAlive;
				throw new Error('no memory');
			},
			async () => second.launcher,
		];
		const restarted = Promise.withResolvers<void>();
		const start = () => (starts.shift() ?? assert.fail('too many starts'))();
		keeper = await LauncherKeeper.start({
			start,
			log: silentLog,
			retryMs: 1,
		});
		keeper.onRestart = restarted.resolve;
		assert.equal((await keeper.treeUsage('/')).bytes, 1);
		first.die();
		await first.launcher.ended;
		assert.equal((await keeper.treeUsage('/')).bytes, 2);
		await restarted.promise;
		assert.equal(aliveMeanwhile, false);
		assert.equal(keeper.pid, 2);
		await keeper.close();
	});

	it('tries once more what may be done twice, when its launcher dies meanwhile', async () => {
		const dying = fakeLauncher(1);
		const removed: number[] = [];
		dying.launcher.removeTree = async () => {
			dying.die();
			throw unavailable('The launcher does not answer');
		};
		const next = fakeLauncher(2);
		next.launcher.removeTree = async () => void removed.push(2);
		const starts = [dying.launcher, next.launcher];
		const start = async () => starts.shift() ?? assert.fail('too many starts');
		const keeper = await LauncherKeeper.start({ start, log: silentLog });
		await keeper.removeTree('/somewhere');
		assert.deepEqual(removed, [2]);
		next.launcher.removeTree = async () => {
			throw unavailable('it lives and says no');
		};
		await assert.rejects(keeper.removeTree('/somewhere'), /says no/);
		await keeper.close();
	});

	it('starts none after it was closed', async () => {
		const only = fakeLauncher(1);
		let starts = 0;
		const start = async () => {
			starts += 1;
			return only.launcher;
		};
		const keeper = await LauncherKeeper.start({
			start,
			log: silentLog,
		});
		await keeper.close();
		assert.equal(await keeper.ended, 'it was closed');
		await new Promise(setImmediate);
		assert.equal(starts, 1);
	});

	it('fails when the first start does', async () => {
		const start = () => Promise.reject(new Error('not built'));
		await assert.rejects(LauncherKeeper.start({ start, log: silentLog }), /not built/);
	});
});
