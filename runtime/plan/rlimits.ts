import type { OciProcess } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { refuse } from './context.ts';

/** setrlimit(2) resources by number. */
const RESOURCES = [
	'RLIMIT_CPU',
	'RLIMIT_FSIZE',
	'RLIMIT_DATA',
	'RLIMIT_STACK',
	'RLIMIT_CORE',
	'RLIMIT_RSS',
	'RLIMIT_NPROC',
	'RLIMIT_NOFILE',
	'RLIMIT_MEMLOCK',
	'RLIMIT_AS',
	'RLIMIT_LOCKS',
	'RLIMIT_SIGPENDING',
	'RLIMIT_MSGQUEUE',
	'RLIMIT_NICE',
	'RLIMIT_RTPRIO',
	'RLIMIT_RTTIME',
];

const INFINITY = 2n ** 64n - 1n;

export function rlimitOps(process: OciProcess): Op[] {
	const seen = new Set<string>();
	return (process.rlimits ?? []).map(({ type, soft, hard }, index) => {
		const where = `process.rlimits[${index}]`;
		const resource = RESOURCES.indexOf(type);
		if (resource < 0) throw refuse(`${where}.type`, `unknown limit ${type}`);
		if (seen.has(type)) throw refuse(`${where}.type`, `${type} is set twice`);
		seen.add(type);
		const op = { op: 'rlimit', resource, soft: amount(soft), hard: amount(hard) } as const;
		if (op.soft > op.hard) throw refuse(where, `the soft limit of ${type} is above the hard one`);
		return op;
	});
}

/** A number that JSON cannot hold exactly (2^64-1 rounded up) means no limit, as -1 does. */
const amount = (value: number): bigint => (value < 0 || value >= 2 ** 63 ? INFINITY : BigInt(value));

/** The name of a resource, for people. */
export const rlimitName = (resource: number): string => RESOURCES[resource] ?? `limit ${resource}`;
