import type { CgroupStats } from '../types.ts';

type Device = CgroupStats['io']['devices'][number];
type Counter = 'readBytes' | 'writeBytes' | 'reads' | 'writes';

/** Collects counters per block device, whatever file they come from. */
export function ioDevices() {
	const found = new Map<string, { -readonly [K in keyof Device]: Device[K] }>();
	return {
		/** `device` is `major:minor`; what is no number is left out. */
		add(device: string, counter: Counter, amount: string | undefined): void {
			const match = /^(\d+):(\d+)$/.exec(device);
			if (match === null || amount === undefined || !/^\d+$/.test(amount)) return;
			const none = { readBytes: 0n, writeBytes: 0n, reads: 0n, writes: 0n };
			const entry = found.get(device) ?? { major: Number(match[1]), minor: Number(match[2]), ...none };
			entry[counter] += BigInt(amount);
			found.set(device, entry);
		},
		list: (): readonly Device[] => [...found.values()],
	};
}

/** A difference of two counters that were not read at the same instant. */
export const atLeastZero = (value: bigint): bigint => (value < 0n ? 0n : value);
