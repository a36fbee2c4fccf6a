import type { OciRlimit } from '#runtime';
import { type With, withProcess } from './draft.ts';
import type { ContainerSpecInput } from './input.ts';

/** The configured limits (`nofile=1024:524288`); CRI has no field for them. */
export const withRlimits: With<ContainerSpecInput> = (spec, { defaults }) =>
	withProcess(spec, { rlimits: defaults.defaultUlimits.map(rlimitOf) });

function rlimitOf(text: string): OciRlimit {
	const [name = '', values = ''] = text.split('=');
	const [soft = '', hard = soft] = values.split(':');
	return { type: `RLIMIT_${name.toUpperCase()}`, soft: amount(soft), hard: amount(hard) };
}

const amount = (text: string): number => (text === 'unlimited' ? -1 : Number(text));
