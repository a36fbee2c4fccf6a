/** A line of passwd(5). */
export interface PasswdEntry {
	readonly name: string;
	readonly uid: number;
	readonly gid: number;
	readonly home: string;
}

/** A line of group(5). */
export interface GroupEntry {
	readonly name: string;
	readonly gid: number;
	readonly members: readonly string[];
}

/** Lines that are not of the form are skipped, as every reader of these files does. */
export function parsePasswd(text: string): readonly PasswdEntry[] {
	return text.split('\n').flatMap((line) => {
		const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
		if (name === '' || !isId(uid) || !isId(gid)) return [];
		return [{ name, uid: Number(uid), gid: Number(gid), home }];
	});
}

export function parseGroup(text: string): readonly GroupEntry[] {
	return text.split('\n').flatMap((line) => {
		const [name = '', , gid = '', members = ''] = line.split(':');
		if (name === '' || !isId(gid)) return [];
		return [{ name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') }];
	});
}

/** Whether this is a number in decimal, as ids are. */
export const isNumber = (text: string): boolean => /^\d+$/.test(text);

/** 2^32-1 means "no change" to the kernel: who asks for it stays root. */
export const MAX_ID = 2 ** 32 - 2;

const isId = (text: string): boolean => isNumber(text) && Number(text) <= MAX_ID;
