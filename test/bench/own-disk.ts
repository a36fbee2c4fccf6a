/**
 * A file system of the run's own, with a journal, as the disks of nodes have one. Without a journal (disks of small
 * virtual machines often are such) ext4 does not use the number of a removed file again for a minute, and looks past
 * all such numbers whenever a file is made (`recently_deleted` in fs/ext4/ialloc.c). Pulls that are repeated and
 * removed measured little else: three quarters of their system time.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What it may hold; it takes what is written. */
const BYTES = 16 * 1024 ** 3;

/**
 * Makes it in the folder of temporary files and moves that there. Only on a private machine: it is unmounted with that.
 * Where there are no loop devices everything stays where it is, and that is said.
 */
export function moveToOwnDisk(): void {
	const folder = tmpdir();
	const disk = join(folder, 'disk');
	const file = join(folder, 'disk.ext4');
	try {
		mkdirSync(disk);
		writeFileSync(file, '');
		truncateSync(file, BYTES);
		execFileSync('mkfs.ext4', ['-q', file]);
		// Nothing fills the tables of inodes in the background.
		execFileSync('mount', ['-t', 'ext4', '-o', 'loop,noinit_itable', file, disk]);
		process.env.TMPDIR = disk;
	} catch (error) {
		console.error(
			`bench: no disk of its own, everything is on that of ${folder}: ${(error as Error).message}`,
		);
	}
}
