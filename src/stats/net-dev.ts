import { readFileSync } from 'node:fs';
import type { Sandbox } from '../sandbox/types.ts';

export interface InterfaceCounters {
	readonly name: string;
	readonly rxBytes: bigint;
	readonly rxPackets: bigint;
	readonly rxErrors: bigint;
	readonly rxDropped: bigint;
	readonly txBytes: bigint;
	readonly txPackets: bigint;
	readonly txErrors: bigint;
	readonly txDropped: bigint;
}

/** The interfaces of a pod. None for one that has the node's: they are not what the pod uses. */
export function interfacesOf({ metadata, status }: Sandbox): readonly InterfaceCounters[] {
	return metadata.hostNetwork || status.pause === undefined ? [] : readNetDev(status.pause.pid);
}

/** The interfaces that a process sees, without loopback. Empty when the process is gone. */
function readNetDev(pid: number): readonly InterfaceCounters[] {
	try {
		return parseNetDev(readFileSync(`/proc/${pid}/net/dev`, 'utf8'));
	} catch {
		return [];
	}
}

/** `  eth0: RX-BYTES packets errs drop fifo frame compressed multicast TX-BYTES packets errs …` after two lines of heads. */
export function parseNetDev(text: string): readonly InterfaceCounters[] {
	return text
		.split('\n')
		.slice(2)
		.flatMap(parseLine)
		.filter(({ name }) => name !== 'lo');
}

function parseLine(line: string): InterfaceCounters[] {
	const match = /^\s*(\S+):\s*(.*)$/.exec(line);
	if (match === null) return [];
	const counters = (match[2] ?? '').trim().split(/\s+/);
	const counter = (column: number): bigint => toCount(counters[column] ?? '');
	return [
		{
			name: match[1] ?? '',
			rxBytes: counter(0),
			rxPackets: counter(1),
			rxErrors: counter(2),
			rxDropped: counter(3),
			txBytes: counter(8),
			txPackets: counter(9),
			txErrors: counter(10),
			txDropped: counter(11),
		},
	];
}

const toCount = (text: string): bigint => (/^\d+$/.test(text) ? BigInt(text) : 0n);
