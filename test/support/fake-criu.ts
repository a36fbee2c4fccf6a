import { chmodSync, writeFileSync } from 'node:fs';

export interface FakeCriuOptions {
	/** What `criu --version` says. Default a new one. */
	readonly version?: string;
	/** A shell command that `criu --version` does before it answers. */
	readonly look?: string;
	/** What `criu check` complains of; '' when all is well. */
	readonly complaint?: string;
	/** A shell command that `criu dump` is; the log is "$log". Default: it saves nothing, and succeeds. */
	readonly dump?: string;
	/** A shell command that `criu restore` is. Default: it fails. */
	readonly restore?: string;
}

/** Writes a program that answers as CRIU does, for what must be tested where there is none. */
export function writeFakeCriu(path: string, options: FakeCriuOptions = {}): void {
	const { version = '4.2', look = 'true', complaint = '', dump = 'true', restore = 'exit 1' } = options;
	const script = `#!/bin/sh
case "$1" in
--version) ${look}; echo 'Version: ${version}' ;;
check) ${complaint === '' ? 'exit 0' : `echo "Error (criu/fake.c:1): ${complaint}" >&2; exit 1`} ;;
dump)
	while [ $# -gt 0 ]; do [ "$1" = --work-dir ] && log=$2/dump.log; shift; done
	${dump}
	;;
restore) ${restore} ;;
*) exit 1 ;;
esac
`;
	writeFileSync(path, script);
	chmodSync(path, 0o755);
}
