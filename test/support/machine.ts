/** Looks at the machine by the kernel's files and `nft`, without the daemon's own code. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface ProcessLook {
	readonly pid: number;
	readonly parent: number;
	readonly words: readonly string[];
	/** Its cgroup in every hierarchy. */
	readonly cgroups: readonly string[];
}

/** Text of a file, trimmed; '' when it is not there or its process has ended. */
export function read(path: string): string {
	try {
		return readFileSync(path, 'utf8').trim();
	} catch {
		return '';
	}
}

/** Names in a folder; none when it is not there. */
export function namesIn(folder: string): string[] {
	try {
		return readdirSync(folder);
	} catch {
		return [];
	}
}

export const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Every process that has not ended; one that its parent has not waited for has. */
export function processes(): ProcessLook[] {
	return namesIn('/proc')
		.filter((name) => /^\d+$/.test(name) && !/^State:\tZ/m.test(read(`/proc/${name}/status`)))
		.map((pid) => ({
			pid: Number(pid),
			parent: Number(/^PPid:\t(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0),
			words: read(`/proc/${pid}/cmdline`).split('\0'),
			cgroups: linesOf(read(`/proc/${pid}/cgroup`)).map((line) => line.split(':').slice(2).join(':')),
		}));
}

/** Children of a process (of its first thread) that have not been waited for; none when it has ended. */
export function childrenOf(pid: number): number[] {
	return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** The lines of mountinfo(5) of every mount namespace that some process is in, that of this process first. */
export function mountTables(): { readonly pid: number; readonly lines: readonly string[] }[] {
	const byNamespace = new Map<string, number>([[linkOf('/proc/self/ns/mnt'), process.pid]]);
	for (const { pid } of processes()) {
		const namespace = linkOf(`/proc/${pid}/ns/mnt`);
		if (namespace !== '' && !byNamespace.has(namespace)) byNamespace.set(namespace, pid);
	}
	return [...byNamespace.values()].map((pid) => ({ pid, lines: linesOf(read(`/proc/${pid}/mountinfo`)) }));
}

/** Every cgroup whose name is accepted, in every hierarchy; below one that is found it does not look. */
export function cgroupsNamed(accepts: (name: string) => boolean): string[] {
	const below = (folder: string): string[] =>
		foldersIn(folder).flatMap((name) => (accepts(name) ? [join(folder, name)] : below(join(folder, name))));
	return cgroupRoots().flatMap(below);
}

/** Where the hierarchies are mounted. */
export function cgroupRoots(): string[] {
	const lines = linesOf(read('/proc/self/mountinfo')).filter((line) => / - cgroup2? /.test(line));
	return [...new Set(lines.map((line) => line.split(' ')[4] ?? ''))];
}

/** Names of the folders in a folder; none when there is no such folder. */
export function foldersIn(folder: string): string[] {
	try {
		return readdirSync(folder, { withFileTypes: true })
			.filter((entry) => entry.isDirectory())
			.map(({ name }) => name);
	} catch {
		return [];
	}
}

/** The network links of this namespace with their aliases, and the bridge that each is a port of. */
export function links(): { readonly name: string; readonly alias: string; readonly bridge: string }[] {
	return namesIn('/sys/class/net').map((name) => ({
		name,
		alias: read(`/sys/class/net/${name}/ifalias`),
		bridge: linkOf(`/sys/class/net/${name}/master`).split('/').at(-1) ?? '',
	}));
}

/** Names of nftables tables, `FAMILY NAME`. */
export function tables(): string[] {
	const out = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' });
	return linesOf(out.trim()).map((line) => line.replace(/^table /, ''));
}

/** Where the elements of a table's maps lead, and the comment that says whose they are. */
export function tableTargets(
	table: string,
): { readonly address: string; readonly port: string; readonly comment: string }[] {
	const out = execFileSync('nft', ['list', 'table', ...table.split(' ')], { encoding: 'utf8' });
	return [...out.matchAll(/(?:comment "([^"]*)" )?: ([0-9a-f.:]+) \. (\d+)/g)].map(
		([, comment = '', address = '', port = '']) => ({ address: canonical(address), port, comment }),
	);
}

/** The addresses in the network namespace of a process, without loopback and link-local ones; none in our own. */
export function addressesOf(pid: number): string[] {
	if (linkOf(`/proc/${pid}/ns/net`) === linkOf('/proc/self/ns/net')) return [];
	const v4 = [...read(`/proc/${pid}/net/fib_trie`).matchAll(/\|-- (\S+)\n\s+\/32 host LOCAL/g)].map(
		([, address = '']) => address,
	);
	const v6 = linesOf(read(`/proc/${pid}/net/if_inet6`)).map((line) =>
		canonical(line.slice(0, 32).replace(/.{4}(?!$)/g, '$&:')),
	);
	return [...new Set([...v4, ...v6])].filter((address) => !/^(127\.|::1$|fe80:)/.test(address));
}

/** One spelling for one address. */
const canonical = (address: string): string =>
	address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;

export function linkOf(path: string): string {
	try {
		return readlinkSync(path);
	} catch {
		return '';
	}
}
