/** Every path below a folder that does not begin with `word`, as patterns of apparmor.d(5). */
export function allBut(word: string): readonly string[] {
	return [...word].map((letter, index) => {
		const beginning = word.slice(0, index);
		return index === 0 ? `[^${letter}]**` : `${beginning}{,[^${letter}]**}`;
	});
}

const CHANGE = 'wkl';
const ALL = 'rwklx';

const deny = (folder: string, patterns: readonly string[], access: string): readonly string[] =>
	patterns.map((pattern) => `deny ${folder}${pattern} ${access},`);

/**
 * The profile in the language of apparmor.d(5). No ABI is named: what the node's `apparmor_parser` takes as default
 * decides which newer classes are mediated, and those are allowed. Nothing is included, so that it needs no other file.
 */
export function profileText(name: string): string {
	const rules = [
		'network,',
		'capability,',
		'file,',
		'umount,',
		// Whoever stands outside is held by a profile of its own, if any: the shim stops containers, tools look at them.
		'signal (receive),',
		'ptrace (tracedby, readby),',
		`signal (send) peer=${name},`,
		`ptrace (trace, read) peer=${name},`,
		'deny mount,',
		// Below /proc, only what belongs to processes (/proc/NUMBER, where /proc/self leads) and to shared memory.
		...deny('/proc/', ['*', '[^0-9s]*/**', 's{,[^y]*}/**', 'sy{,[^s]*}/**', 'sys?*/**'], CHANGE),
		...deny('/proc/sys/', allBut('kernel/shm'), CHANGE),
		...deny('/proc/', ['kcore', 'sysrq-trigger'], ALL),
		...deny('/sys/', allBut('fs/cgroup/'), CHANGE),
		...deny('/sys/', ['firmware/**', 'kernel/security/**', 'devices/virtual/powercap/**'], ALL),
	];
	const body = rules.map((rule) => `  ${rule}\n`).join('');
	return `profile ${name} flags=(attach_disconnected, mediate_deleted) {\n${body}}\n`;
}
