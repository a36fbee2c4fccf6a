import { constants } from 'node:os';
import { invalidArgument } from '#base/errors.ts';
import type { Signal } from '#cri-api';

/** The kernel's number of the first real-time signal that programs may use (glibc keeps two), and the last. */
const RTMIN = 34;
const RTMAX = 64;

/** The signal that StopContainer sends first: the request's, else the image's, else SIGTERM. Canonical name. */
export function stopSignalOf(requested: Signal, ofImage: string): string {
	if (requested !== 'SIGNAL_RUNTIME_DEFAULT') return canonical(requested.replace(/^SIGNAL_/, ''));
	return ofImage === '' ? 'SIGTERM' : canonical(ofImage);
}

/** The number of a signal name. INVALID_ARGUMENT when there is none. */
export function signalNumber(name: string): number {
	const known = (constants.signals as Readonly<Record<string, number>>)[name];
	if (known !== undefined) return known;
	if (name === 'SIGCLD') return constants.signals.SIGCHLD;
	const realTime = /^SIGRT(MIN|MAX)(?:(?:PLUS|MINUS|\+|-)(\d+))?$/.exec(name);
	const distance = Number(realTime?.[2] ?? 0);
	const number = realTime?.[1] === 'MIN' ? RTMIN + distance : RTMAX - distance;
	if (realTime === null || number < RTMIN || number > RTMAX)
		throw invalidArgument(`Unknown stop signal ${JSON.stringify(name)}`);
	return number;
}

/** The CRI enum for ContainerStatus. */
export function criSignal(name: string): Signal {
	return `SIGNAL_${name}` as Signal;
}

/** `15`, `TERM` and `sigterm` all are SIGTERM. */
function canonical(text: string): string {
	if (/^\d+$/.test(text)) return nameOf(Number(text));
	const upper = text.toUpperCase();
	const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
	const number = signalNumber(name);
	return number >= RTMIN ? nameOf(number) : name;
}

function nameOf(number: number): string {
	const known = Object.entries(constants.signals).find(([, value]) => value === number);
	if (known !== undefined) return known[0];
	if (number === RTMIN) return 'SIGRTMIN';
	// CRI knows MINPLUS1 to 15 and MAXMINUS14 to 1.
	if (number > RTMIN && number <= RTMIN + 15) return `SIGRTMINPLUS${number - RTMIN}`;
	if (number === RTMAX) return 'SIGRTMAX';
	if (number > RTMIN && number < RTMAX) return `SIGRTMAXMINUS${RTMAX - number}`;
	throw invalidArgument(`Unknown stop signal ${number}`);
}
