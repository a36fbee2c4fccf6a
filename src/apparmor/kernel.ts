import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';

/** AppArmor as the kernel shows it; replaced in unit tests. */
export interface AppArmorKernel {
	/** It is there and switched on. */
	readonly enabled: boolean;
	/** Names of the profiles that are loaded; undefined when that cannot be seen (securityfs is not mounted). */
	profiles(): Promise<ReadonlySet<string> | undefined>;
	/** Takes a profile away. What runs in it runs without one from then on. */
	remove(name: string): Promise<void>;
}

const FOLDER = '/sys/kernel/security/apparmor';

/** That of this machine. */
export function appArmorKernel(): AppArmorKernel {
	return {
		enabled: isEnabled(),
		profiles: async () => {
			const list = await readFile(`${FOLDER}/profiles`, 'utf8').catch(() => undefined);
			return list === undefined ? undefined : profileNames(list);
		},
		// No tool is needed: the kernel takes the name.
		remove: async (name) => await writeFile(`${FOLDER}/.remove`, name),
	};
}

function isEnabled(): boolean {
	try {
		return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');
	} catch {
		return false;
	}
}

/** From lines such as `docker-default (enforce)`; names may have spaces. */
export function profileNames(list: string): ReadonlySet<string> {
	const lines = list.split('\n').filter((line) => line !== '');
	return new Set(lines.map((line) => line.replace(/ \(\w+\)$/, '')));
}
