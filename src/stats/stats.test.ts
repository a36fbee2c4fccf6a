import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLog } from '#base/log.ts';
import { CpuRates } from './cpu-rates.ts';
import { LayerUsage } from './layer-usage.ts';
import { parseNetDev } from './net-dev.ts';
import { toMemoryUsage, toNetworkUsage, toPsi, toSwapUsage } from './to-cri.ts';

const S = 1_000_000_000n;

describe('CpuRates', () => {
	it('gives the average since the beginning, then the rate since the reading before', () => {
		const rates = new CpuRates();
		assert.equal(rates.rate('a', { atNs: 14n * S, usageNs: 2n * S }, 10n * S), S / 2n);
		assert.equal(rates.rate('a', { atNs: 16n * S, usageNs: 6n * S }, 10n * S), 2n * S);
	});

	it('does not take a rate over less than a second: calls in between share the older reading', () => {
		const rates = new CpuRates();
		rates.rate('a', { atNs: 10n * S, usageNs: 0n }, 0n);
		rates.rate('a', { atNs: 20n * S, usageNs: 10n * S }, 0n);
		// 100 ms later, nothing used since: the rate is over 10.1 s, not over 0.1 s.
		const soon = rates.rate('a', { atNs: 20n * S + S / 10n, usageNs: 10n * S }, 0n);
		assert.equal(soon, (10n * S * S) / (10n * S + S / 10n));
		assert.equal(rates.rate('a', { atNs: 22n * S, usageNs: 10n * S }, 0n), 0n);
	});

	it('is never negative: a counter or clock that goes back gives 0', () => {
		const rates = new CpuRates();
		rates.rate('a', { atNs: 10n * S, usageNs: 5n * S }, 0n);
		assert.equal(rates.rate('a', { atNs: 12n * S, usageNs: 1n * S }, 0n), 0n);
		assert.equal(rates.rate('b', { atNs: 1n * S, usageNs: 1n * S }, 5n * S), 0n);
	});

	it('forgets what is gone', () => {
		const rates = new CpuRates();
		rates.rate('a', { atNs: S, usageNs: 0n }, 0n);
		rates.rate('b', { atNs: S, usageNs: 0n }, 0n);
		rates.keepOnly((id) => id === 'b');
		assert.equal(rates.size, 1);
	});
});

describe('LayerUsage', () => {
	function setUp(measure: (path: string) => Promise<{ bytes: number; inodes: number }>) {
		const clock = { ms: 1_000_000 };
		return {
			clock,
			layers: new LayerUsage({ measure, log: silentLog, maxAgeMs: 1000, nowMs: () => clock.ms }),
		};
	}

	it('never waits in last, waits for the first value in measured, and then measures again when old', async () => {
		let bytes = 0;
		const { clock, layers } = setUp(async () => ({ bytes: ++bytes, inodes: 1 }));
		assert.equal(layers.last('/a'), undefined);
		assert.equal((await layers.measured('/a'))?.bytes, 1);
		assert.equal(layers.last('/a')?.bytes, 1);
		clock.ms += 1000;
		assert.equal(layers.last('/a')?.bytes, 1, 'the old value comes at once');
		await new Promise(setImmediate);
		assert.equal(layers.last('/a')?.bytes, 2);
	});

	it('walks one tree at a time, and one tree once for all who ask', async () => {
		let running = 0;
		let most = 0;
		let calls = 0;
		const { layers } = setUp(async () => {
			calls += 1;
			most = Math.max(most, ++running);
			await new Promise(setImmediate);
			running -= 1;
			return { bytes: 1, inodes: 1 };
		});
		await Promise.all([
			layers.measured('/a'),
			layers.measured('/a'),
			layers.measured('/b'),
			layers.measured('/c'),
		]);
		assert.deepEqual({ most, calls }, { most: 1, calls: 3 });
	});

	it('gives nothing for a tree that is gone, and goes on with the others', async () => {
		const { layers } = setUp(async (path) => {
			if (path === '/gone') throw new Error('ENOENT');
			return { bytes: 7, inodes: 1 };
		});
		assert.equal(await layers.measured('/gone'), undefined);
		assert.equal((await layers.measured('/here'))?.bytes, 7);
	});
});

const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    2000      20    3    0    0     0          0         0     4000      40    5    0    0     0       0          0
  eth1: 1 1 0 0 0 0 0 0 2 2 0 0 0 0 0 0
`;

describe('network usage', () => {
	it('reads bytes and errors of both directions, without loopback', () => {
		const [eth0, eth1, ...others] = parseNetDev(NET_DEV);
		assert.deepEqual(eth0, {
			name: 'eth0',
			rxBytes: 2000n,
			rxPackets: 20n,
			rxErrors: 3n,
			rxDropped: 0n,
			txBytes: 4000n,
			txPackets: 40n,
			txErrors: 5n,
			txDropped: 0n,
		});
		assert.equal(eth1?.txBytes, 2n);
		assert.equal(others.length, 0);
	});

	it('tells the default interface from the others', () => {
		assert.equal(parseNetDev('\n\neth0: x 1')[0]?.rxBytes, 0n, 'what is no number counts nothing');
		const usage = toNetworkUsage(parseNetDev(NET_DEV), 'eth1', 9n);
		assert.equal(usage?.default_interface?.name, 'eth1');
		assert.deepEqual(
			usage?.interfaces?.map(({ name }) => name),
			['eth0'],
		);
		assert.equal(toNetworkUsage([], 'eth0', 9n), null);
	});
});

describe('memory usage', () => {
	const memory = {
		usageBytes: 90n,
		workingSetBytes: 60n,
		rssBytes: 50n,
		cacheBytes: 30n,
		mappedFileBytes: 1n,
		pageFaults: 5n,
		majorPageFaults: 1n,
	};

	it('says what is available only where there is a limit', () => {
		assert.equal(toMemoryUsage(memory, 1n).available_bytes, null);
		assert.deepEqual(toMemoryUsage({ ...memory, limitBytes: 100n }, 1n).available_bytes, { value: 40n });
		assert.deepEqual(toMemoryUsage({ ...memory, limitBytes: 50n }, 1n).available_bytes, { value: 0n });
	});

	it('has swap only where the kernel counts it', () => {
		assert.equal(toSwapUsage(memory, 1n), null);
		const swap = toSwapUsage({ ...memory, swapUsageBytes: 4n, swapLimitBytes: 10n }, 1n);
		assert.deepEqual(swap, {
			timestamp: 1n,
			swap_available_bytes: { value: 6n },
			swap_usage_bytes: { value: 4n },
		});
	});

	it('gives pressure in nanoseconds', () => {
		const line = { avg10: 1.5, avg60: 0, avg300: 0, totalUs: 12n };
		assert.deepEqual(toPsi({ some: line, full: line })?.Some, {
			Total: 12000n,
			Avg10: 1.5,
			Avg60: 0,
			Avg300: 0,
		});
		assert.equal(toPsi(undefined), null);
	});
});
