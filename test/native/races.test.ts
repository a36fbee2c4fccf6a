/** A sibling container exchanges what containers of the same volume are being made with (CVE-2021-30465 and its like). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Op } from '../../runtime/shim/codec.ts';
import { bind, Fixture, mountFs, plan, Refused } from './support.ts';

const ROUNDS = 30;

let shim: Fixture;
before(async () => {
	shim = await Fixture.open();
	const swap = join(shim.rootfs, 'bin/swap');
	execFileSync('cc', ['-O1', '-static', '-o', swap, fileURLToPath(new URL('swap.c', import.meta.url))]);
});
after(() => shim.close());

interface Race {
	readonly name: string;
	/** What is made with `/vol/target`, which is a folder or, at other times, a symlink to a folder of the host. */
	readonly made: (round: number) => {
		readonly mounts?: readonly Op[];
		readonly inside?: readonly Op[];
		readonly terminal?: 1;
	};
}

const RACES: readonly Race[] = [
	{
		name: 'a folder to mount on is made',
		made: (round) => ({ mounts: [mountFs('tmpfs', `/vol/target/made${round}/deep`)] }),
	},
	{ name: 'a mount lands on it', made: () => ({ mounts: [mountFs('tmpfs', '/vol/target')] }) },
	{
		name: 'a file is bound below it',
		made: (round) => ({ mounts: [bind('/etc/hostname', `/vol/target/file${round}`)] }),
	},
	{
		name: 'a device and a link are made',
		made: (round) => ({
			mounts: [
				{ op: 'make_device', path: `/vol/target/null${round}`, mode: 0o020666, device: 259n, uid: 0, gid: 0 },
				{ op: 'make_symlink', path: `/vol/target/link${round}`, content: '/x' },
			],
		}),
	},
	{
		name: 'it is masked and made read-only',
		made: () => ({
			inside: [
				{ op: 'mask_path', path: '/vol/target/secret' },
				{ op: 'mask_path', path: '/vol/target' },
				{ op: 'readonly_path', path: '/vol/target' },
			],
		}),
	},
	{
		name: 'it is the working folder',
		made: () => ({ inside: [{ op: 'working_folder', path: '/vol/target/sub', create: 0 }] }),
	},
	{
		name: 'it is where proc and the console are mounted',
		made: () => ({
			mounts: [
				mountFs('proc', '/vol/target/sub'),
				bind(join(shim.folder, 'dev'), '/dev'),
				mountFs('devpts', '/dev/pts', 0n, 'newinstance,ptmxmode=0666,mode=0620'),
				{ op: 'terminal', columns: 80, rows: 24, console: 1 },
			],
			terminal: 1,
		}),
	},
];

for (const [at, { name, made }] of RACES.entries())
	test(`while names are exchanged, ${name}: never on the host`, async () => {
		const victim = join(shim.folder, `victim${at}`);
		const volume = join(shim.folder, `volume${at}`);
		for (const folder of [join(victim, 'sub'), join(volume, 'target/sub'), join(shim.folder, 'dev/pts')])
			mkdirSync(folder, { recursive: true });
		writeFileSync(join(victim, 'secret'), 'of the host');
		writeFileSync(join(volume, 'target/secret'), 'of the volume');
		symlinkSync(victim, join(volume, 'link'));
		const shared = bind(volume, '/vol');
		const swapper = plan({
			rootfs: shim.rootfs,
			id: 'swap',
			mounts: [shared],
			argv: ['swap', '/vol/target', '/vol/link'],
		});
		await shim.create('swap', swapper);
		await shim.start('swap');
		try {
			let run = 0;
			for (let round = 0; round < ROUNDS; round++)
				if (await race(`r${at}-${round}`, shared, made(round))) run++;
			assert.ok(run > 0, 'no container was made at all');
		} finally {
			await shim.delete('swap');
		}
		assert.deepEqual(readdirSync(victim).sort(), ['secret', 'sub'], 'nothing was made there');
		assert.deepEqual(readdirSync(join(victim, 'sub')), []);
		assert.equal(readFileSync(join(victim, 'secret'), 'utf8'), 'of the host');
	});

/** One container: it may be refused (false), and must not see the host when it is not. */
async function race(
	id: string,
	shared: Op,
	{ mounts = [], inside = [], terminal = undefined }: ReturnType<Race['made']>,
): Promise<boolean> {
	const script = 'cat secret ../secret /vol/*/secret /tmp/*/*/secret 2>/dev/null; true';
	const made = plan({
		rootfs: shim.rootfs,
		id,
		mounts: [shared, ...mounts],
		inside,
		argv: ['sh', '-c', script],
	});
	try {
		const { exit_code } = await shim.run(id, made, terminal === undefined ? {} : { terminal });
		assert.equal(exit_code, 0);
		assert.ok(!shim.log(id).includes('of the host'), shim.log(id));
		return true;
	} catch (error) {
		if (!(error instanceof Refused)) throw error;
		return false;
	} finally {
		await shim.delete(id);
		assert.ok(!/victim\d/.test(readFileSync('/proc/self/mountinfo', 'utf8')), 'nothing is mounted there');
	}
}
