import type { OciNamespaceType, OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { hasNamespace, refuse } from './context.ts';

/** kernel.* parameters that belong to the IPC namespace (ipc_sysctl.c). */
const IPC = new Set([
	'kernel/auto_msgmni',
	'kernel/msg_next_id',
	'kernel/msgmax',
	'kernel/msgmnb',
	'kernel/msgmni',
	'kernel/sem',
	'kernel/sem_next_id',
	'kernel/shm_next_id',
	'kernel/shm_rmid_forced',
	'kernel/shmall',
	'kernel/shmmax',
	'kernel/shmmni',
]);

/** Only parameters of a namespace that the container does not share with the host: all others would change the node. */
export function sysctlOps(spec: OciSpec): Op[] {
	return Object.entries(spec.linux?.sysctl ?? {}).map(([key, value]) => {
		const where = `linux.sysctl[${JSON.stringify(key)}]`;
		const name = sysctlPath(key);
		if (name.split('/').some((part) => part === '' || part === '.' || part === '..'))
			throw refuse(where, 'not a name');
		if (name === 'kernel/hostname' || name === 'kernel/domainname') {
			throw refuse(where, `use the field ${name === 'kernel/hostname' ? 'hostname' : 'domainname'} instead`);
		}
		const type = namespaceOf(name);
		if (type === undefined) throw refuse(where, 'it belongs to no namespace and would change the whole node');
		if (!hasNamespace(spec, type)) throw refuse(where, `it needs a ${type} namespace of the container's own`);
		return { op: 'sysctl', name, value };
	});
}

function namespaceOf(name: string): OciNamespaceType | undefined {
	if (name.startsWith('net/')) return 'network';
	return IPC.has(name) || name.startsWith('fs/mqueue/') ? 'ipc' : undefined;
}

/** As sysctl.d(5): when the first separator is a dot, dots separate and a slash stands for a dot. */
function sysctlPath(key: string): string {
	if (/^[^./]*\//.test(key)) return key;
	return key.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}
