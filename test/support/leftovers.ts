/** What a daemon may leave on the machine, found without asking the daemon's own code. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Everything of an instance that is still there, as `kind name`. Empty after a clean stop without pods. */
export function leftoversOf(instance: string, folder: string): string[] {
	return [
		...mounts(folder),
		...cgroups(instance),
		...links(instance),
		...tables(instance),
		...processes(instance, folder),
	];
}

function mounts(folder: string): string[] {
	const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
	return lines
		.filter((line) => line.split(' ')[4]?.startsWith(folder))
		.map((line) => `mount ${line.split(' ')[4]}`);
}

function cgroups(instance: string): string[] {
	const root = '/sys/fs/cgroup';
	const hierarchies = [root, ...readdirSync(root).map((name) => join(root, name))];
	const names = [instance, `${instance}-system`];
	return hierarchies
		.flatMap((hierarchy) => names.map((name) => join(hierarchy, name)).filter(existsSync))
		.map((path) => `cgroup ${path}`);
}

function links(instance: string): string[] {
	const isOurs = (name: string): boolean =>
		name === `${instance}0` || alias(name).startsWith(`gantry:${instance}:`);
	return readdirSync('/sys/class/net')
		.filter(isOurs)
		.map((name) => `link ${name}`);
}

function alias(link: string): string {
	return read(`/sys/class/net/${link}/ifalias`);
}

function tables(instance: string): string[] {
	const all = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).trim().split('\n');
	return all.filter((line) => line.endsWith(` gantry-${instance}`)).map((line) => `nftables ${line}`);
}

function processes(instance: string, folder: string): string[] {
	const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
	const commands = pids.map((pid) => ({ pid, words: read(`/proc/${pid}/cmdline`).split('\0') }));
	const isOurs = (words: readonly string[]): boolean =>
		words.some(
			(word, index) =>
				(words[index - 1] === '--instance' && word === instance) || word.startsWith(`${folder}/`),
		);
	return commands
		.filter(({ words }) => isOurs(words))
		.map(({ pid, words }) => `process ${pid} ${words.join(' ')}`);
}

function read(path: string): string {
	try {
		return readFileSync(path, 'utf8').trim();
	} catch {
		return '';
	}
}
