import { readFileSync } from 'node:fs';

export interface InterfaceCounters {
	readonly name: string;
	readonly rxBytes: bigint;
	readonly rxErrors: bigint;
	readonly txBytes: bigint;
	readonly txErrors: bigint;
}

/** The interfaces that a process sees, without loopback. Empty when the process is gone. */
export function readNetDev(pid: number): readonly InterfaceCounters[] {
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
			rxErrors: counter(2),
			txBytes: counter(8),
			txErrors: counter(10),
		},
	];
}

const toCount = (text: string): bigint => (/^\d+$/.test(text) ? BigInt(text) : 0n);
