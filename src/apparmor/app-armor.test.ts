import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProgramResult, RunProgram } from '#runtime';
import { AppArmor } from './app-armor.ts';
import { profileNames } from './kernel.ts';

const DEFAULT = { kind: 'default' } as const;
const UNCONFINED = { kind: 'unconfined' } as const;
const local = (ref: string) => ({ kind: 'localhost', ref }) as const;

/** A kernel, and a parser that loads into it, or fails with `stderr`. */
function node({ enabled = true, profile = 'default', parser = true, stderr = '' } = {}) {
	const loaded = new Set(['mine']);
	const runs: RunProgram[] = [];
	const warnings: string[] = [];
	const run = async (program: RunProgram): Promise<ProgramResult> => {
		runs.push(program);
		const name = /^profile (\S+)/.exec(String(program.stdin))?.[1] ?? '';
		if (stderr === '') loaded.add(name);
		return {
			exitCode: stderr === '' ? 0 : 1,
			signal: 0,
			timedOut: false,
			truncated: false,
			stdout: Buffer.alloc(0),
			stderr: Buffer.from(stderr),
		};
	};
	const appArmor = new AppArmor({
		instance: 'inst',
		profile,
		launcher: { run },
		log: { info: () => {}, warn: (message) => warnings.push(message) },
		kernel: {
			enabled,
			profiles: async () => loaded,
			remove: async (name) => void loaded.delete(name),
		},
		parsers: parser ? [process.execPath] : ['/no/such/parser'],
	});
	return { appArmor, loaded, runs, warnings };
}

const refused = { condition: 'FAILED_PRECONDITION' };

test('who asks for nothing gets the default profile, which is loaded once, also for many at a time', async () => {
	const { appArmor, runs } = node();
	const all = await Promise.all([1, 2, 3].map(() => appArmor.containerProfile(undefined)));
	assert.deepEqual(all, ['inst-default', 'inst-default', 'inst-default']);
	assert.equal(await appArmor.containerProfile(DEFAULT), 'inst-default');
	assert.equal(runs.length, 1);
});

test('one that an earlier daemon loaded is replaced, one that was taken away is loaded again', async () => {
	const { appArmor, loaded, runs } = node();
	loaded.add('inst-default');
	await appArmor.prepare();
	assert.equal(runs.length, 1);
	loaded.delete('inst-default');
	await appArmor.keepLoaded('another');
	assert.equal(runs.length, 1);
	await appArmor.keepLoaded('inst-default');
	assert.ok(loaded.has('inst-default'));
	await appArmor.removeOwn();
	assert.deepEqual([...loaded], ['mine']);
});

test('without the parser, only those are refused that ask for the default; the rest is told of once', async () => {
	const { appArmor, warnings } = node({ parser: false });
	await appArmor.prepare();
	assert.equal(await appArmor.containerProfile(undefined), undefined);
	assert.equal(warnings.length, 1);
	assert.match(warnings[0] ?? '', /inst-default: apparmor_parser is not installed/);
	await assert.rejects(appArmor.containerProfile(DEFAULT), { ...refused, message: /not installed/ });
	assert.equal(await appArmor.containerProfile(local('mine')), 'mine');
});

test('without the parser, what an earlier daemon loaded is used on, and told of once', async () => {
	const { appArmor, loaded, warnings } = node({ parser: false });
	loaded.add('inst-default');
	await appArmor.keepLoaded('inst-default');
	assert.equal(await appArmor.containerProfile(undefined), 'inst-default');
	assert.equal(await appArmor.containerProfile(DEFAULT), 'inst-default');
	assert.equal(warnings.length, 1);
	assert.match(warnings[0] ?? '', /stays as an earlier daemon has loaded it: apparmor_parser is not/);
});

test('what the parser says is told', async () => {
	const { appArmor } = node({ stderr: 'syntax error in line 3' });
	await assert.rejects(appArmor.profileFor(DEFAULT), /cannot load the profile inst-default: syntax error/);
	assert.equal(await appArmor.containerProfile(undefined), undefined);
	assert.match((await appArmor.look()).problem, /syntax error/);
});

test('a profile must be loaded', async () => {
	const { appArmor } = node();
	assert.equal(await appArmor.profileFor(local('mine')), 'mine');
	assert.equal(await appArmor.profileFor(UNCONFINED), 'unconfined');
	assert.equal(await appArmor.profileFor(local('a//&b')), 'a//&b');
	await assert.rejects(appArmor.profileFor(local('other')), {
		...refused,
		message: /other.*no such profile/,
	});
});

test('a default of the node must be loaded, too, and none is none', async () => {
	assert.equal(await node({ profile: 'mine' }).appArmor.containerProfile(undefined), 'mine');
	await assert.rejects(node({ profile: 'other' }).appArmor.containerProfile(undefined), refused);
	const { appArmor, runs } = node({ profile: '' });
	assert.equal(await appArmor.containerProfile(undefined), undefined);
	assert.equal(await appArmor.containerProfile(DEFAULT), undefined);
	assert.equal(runs.length, 0);
});

test('a kernel without AppArmor: what asks for a profile is refused', async () => {
	const { appArmor, runs } = node({ enabled: false });
	await appArmor.prepare();
	assert.equal(await appArmor.containerProfile(undefined), undefined);
	assert.equal(await appArmor.containerProfile(UNCONFINED), undefined);
	for (const choice of [DEFAULT, local('mine')])
		await assert.rejects(appArmor.containerProfile(choice), { ...refused, message: /no AppArmor/ });
	assert.deepEqual(await appArmor.look(), {
		enabled: false,
		parser: process.execPath,
		defaultProfile: 'inst-default',
		problem: 'this kernel has no AppArmor, or it is switched off',
	});
	assert.equal(runs.length, 0);
});

test('names of profiles as the kernel lists them', () => {
	assert.deepEqual([...profileNames('a (enforce)\nb c//d (complain)\n')], ['a', 'b c//d']);
});
