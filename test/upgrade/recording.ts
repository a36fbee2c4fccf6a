/** A recorded folder of a daemon: made by hack/record-state, laid out again by the tests. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { INSTALLATION } from '../../src/config/options.ts';

/**
 * What stands in a recording for the folder and the instance of the daemon. As long as those of a test's daemon,
 * because some files tell the lengths of the texts in them.
 */
const FOLDER = '/tmp/gantry-recordd-000000';
export const RECORDED_INSTANCE = 'recordd';
/** Stands for the checkout. */
const CHECKOUT = '/usr/lib/gantry/';

/** Parts of a daemon's folder that a recording keeps; sockets, locks and the programs of the image are of no use. */
const KEPT = ['state', 'root/images', 'root/containers', 'root/version.json'];
const LEFT_OUT = /(\.sock|\/lock)$|\/fs\/(usr\/)?bin\//;

export const RECORDINGS: string = fileURLToPath(new URL('recordings', import.meta.url));

interface Names {
	readonly folder: string;
	readonly instance: string;
}

/** Writes the folder of a daemon that does not run as recording `name`. */
export function record(name: string, from: Names): void {
	copy(from.folder, join(RECORDINGS, name), [
		[from.folder, FOLDER],
		[from.instance, RECORDED_INSTANCE],
		[INSTALLATION, CHECKOUT],
	]);
}

/** Makes the folder of a daemon from a recording. */
export function layOut(name: string, to: Names): void {
	copy(join(RECORDINGS, name), to.folder, [
		[FOLDER, to.folder],
		[RECORDED_INSTANCE, to.instance],
		[CHECKOUT, INSTALLATION],
	]);
	// As every daemon has them; git keeps no such thing.
	chmodSync(join(to.folder, 'root'), 0o700);
	chmodSync(join(to.folder, 'state'), 0o711);
}

type Replacement = readonly [from: string, to: string];

function copy(from: string, to: string, replacements: readonly Replacement[]): void {
	const [[folder, otherFolder], [instance, otherInstance]] = replacements as [Replacement, Replacement];
	assert.equal(folder.length, otherFolder.length, `${folder} and ${otherFolder} must be as long`);
	assert.equal(instance.length, otherInstance.length);
	for (const kept of KEPT)
		for (const path of filesBelow(join(from, kept))) {
			const name = relative(from, path);
			if (LEFT_OUT.test(name)) continue;
			mkdirSync(dirname(join(to, name)), { recursive: true });
			writeFileSync(join(to, name), replaced(readFileSync(path), replacements));
		}
}

function filesBelow(path: string): string[] {
	const stat = statSync(path, { throwIfNoEntry: false });
	if (stat?.isFile()) return [path];
	if (!stat?.isDirectory()) return [];
	return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}

/** By bytes: network plans are no text. */
function replaced(bytes: Buffer, replacements: readonly Replacement[]): Buffer {
	const text = replacements.reduce((text, [from, to]) => text.replaceAll(from, to), bytes.toString('latin1'));
	return Buffer.from(text, 'latin1');
}
