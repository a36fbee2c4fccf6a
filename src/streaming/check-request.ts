import { invalidArgument } from '#base/errors.ts';
import type { WantedStreams } from './requests.ts';

/** CRI, ExecRequest and AttachRequest: one stream at least, and a terminal has no standard error of its own. */
export function checkWantedStreams({ stdin, stdout, stderr, tty }: WantedStreams): WantedStreams {
	if (!stdin && !stdout && !stderr)
		throw invalidArgument('None of stdin, stdout and stderr is asked for: ask for one at least');
	if (tty && stderr)
		throw invalidArgument(
			'tty and stderr are both set: the output of a terminal is one stream; leave stderr out',
		);
	return { stdin, stdout, stderr, tty };
}

/** INVALID_ARGUMENT naming the first that is no port. */
export function checkPorts(ports: readonly number[]): readonly number[] {
	const bad = ports.find((port) => !Number.isInteger(port) || port < 1 || port > 65535);
	if (bad !== undefined) throw invalidArgument(`port ${bad} is not between 1 and 65535`);
	return ports;
}
