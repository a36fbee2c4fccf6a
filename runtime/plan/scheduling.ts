import type { OciProcess, OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { refuse } from './context.ts';

const POLICIES: Readonly<Record<string, number>> = {
	SCHED_OTHER: 0,
	SCHED_FIFO: 1,
	SCHED_RR: 2,
	SCHED_BATCH: 3,
	SCHED_ISO: 4,
	SCHED_IDLE: 5,
	SCHED_DEADLINE: 6,
};
const FLAGS: Readonly<Record<string, bigint>> = {
	SCHED_FLAG_RESET_ON_FORK: 0x01n,
	SCHED_FLAG_RECLAIM: 0x02n,
	SCHED_FLAG_DL_OVERRUN: 0x04n,
	SCHED_FLAG_KEEP_POLICY: 0x08n,
	SCHED_FLAG_KEEP_PARAMS: 0x10n,
	SCHED_FLAG_UTIL_CLAMP_MIN: 0x20n,
	SCHED_FLAG_UTIL_CLAMP_MAX: 0x40n,
};
const IO_CLASSES: Readonly<Record<string, number>> = {
	IOPRIO_CLASS_RT: 1,
	IOPRIO_CLASS_BE: 2,
	IOPRIO_CLASS_IDLE: 3,
};
const PERSONAS: Readonly<Record<string, bigint>> = { LINUX: 0n, LINUX32: 8n };

/** CPU scheduler and I/O priority of a process; before its user changes, for both need rights. */
export function schedulingOps(process: OciProcess): Op[] {
	return [...schedulerOps(process), ...ioPriorityOps(process)];
}

function schedulerOps({ scheduler }: OciProcess): Op[] {
	if (scheduler === undefined) return [];
	const policy = POLICIES[scheduler.policy];
	if (policy === undefined) throw refuse('process.scheduler.policy', `unknown policy ${scheduler.policy}`);
	const flags = (scheduler.flags ?? []).reduce((sum, name, index) => {
		const flag = FLAGS[name];
		if (flag === undefined) throw refuse(`process.scheduler.flags[${index}]`, `unknown flag ${name}`);
		return sum | flag;
	}, 0n);
	const { nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler;
	return [
		{
			op: 'scheduler',
			policy,
			nice,
			priority,
			flags,
			runtime: BigInt(runtime),
			deadline: BigInt(deadline),
			period: BigInt(period),
		},
	];
}

function ioPriorityOps({ ioPriority }: OciProcess): Op[] {
	if (ioPriority === undefined) return [];
	const ioClass = IO_CLASSES[ioPriority.class];
	if (ioClass === undefined) throw refuse('process.ioPriority.class', `unknown class ${ioPriority.class}`);
	if (ioPriority.priority < 0 || ioPriority.priority > 7)
		throw refuse('process.ioPriority.priority', 'not between 0 and 7');
	return [{ op: 'io_priority', value: (ioClass << 13) | ioPriority.priority }];
}

export function personalityOps(spec: OciSpec): Op[] {
	const personality = spec.linux?.personality;
	if (personality === undefined) return [];
	const persona = PERSONAS[personality.domain];
	if (persona === undefined) throw refuse('linux.personality.domain', `unknown domain ${personality.domain}`);
	if (personality.flags?.length) throw refuse('linux.personality.flags', 'no flag is supported');
	return [{ op: 'personality', persona }];
}
