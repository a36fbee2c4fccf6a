/** What the kernel's files and sockets say. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseKeyed, parseNumber } from '../../../runtime/cgroup/files.ts';
import { parsePressure } from '../../../runtime/cgroup/pressure.ts';
import { statsV2 } from '../../../runtime/cgroup/stats-v2.ts';
import { readExitRecord } from '../../../runtime/exit-record.ts';
import { startTimeOf } from '../../../runtime/process-identity.ts';
import { parseMountInfo } from '../../../src/container/mount-table.ts';
import { readHostView } from '../../../src/network/netlink/host-view.ts';
import { readBaseChains, readElements, readTableNames } from '../../../src/network/netlink/nftables.ts';
import { readMessages } from '../../../src/network/netlink/reader.ts';
import { NetlinkWriter } from '../../../src/network/netlink/writer.ts';
import { parseNetDev } from '../../../src/stats/net-dev.ts';
import { ofText, type Target } from '../target.ts';

/** A message with attributes: numbers are u32, nested lists nest. */
type Attribute = readonly [type: number, value: string | number | Buffer | readonly Attribute[]];

function message(type: number, head: number, attributes: readonly Attribute[]): Buffer {
	const writer = new NetlinkWriter();
	writer.message(type, 2, () => {
		for (let at = 0; at < head; at++) writer.u8(at === 0 ? 2 : at === 1 ? 24 : 1);
		putAll(writer, attributes);
	});
	return Buffer.from(writer.finish());
}

function put(writer: NetlinkWriter, [type, value]: Attribute): void {
	if (typeof value === 'string') writer.string(type, value);
	else if (typeof value === 'number') writer.attributeU32(type, value);
	else if (Buffer.isBuffer(value)) writer.bytes(type, value);
	else writer.nested(type, () => putAll(writer, value as readonly Attribute[]));
}

function putAll(writer: NetlinkWriter, attributes: readonly Attribute[]): void {
	for (const one of attributes) put(writer, one);
}

const NFT = 10 << 8;
const netlink: Target = {
	seeds: [
		message(16, 16, [
			[3, 'eth0'],
			[20, 'gantry:x'],
			[4, 1500],
			[10, 3],
			[18, [[1, 'veth']]],
		]),
		message(20, 8, [
			[1, Buffer.from([10, 0, 0, 1])],
			[2, Buffer.from([10, 0, 0, 1])],
		]),
		message(24, 12, [
			[1, Buffer.alloc(16, 1)],
			[4, 2],
		]),
		message(NFT | 0, 4, [[1, 'gantry-x']]),
		message(NFT | 3, 4, [
			[1, 'filter'],
			[3, 'FORWARD'],
			[
				4,
				[
					[1, 2],
					[2, 0],
				],
			],
			[5, 0],
		]),
		message(NFT | 12, 4, [
			[
				3,
				[
					[
						1,
						[
							[1, [[1, Buffer.from([0, 80])]]],
							[6, Buffer.from([0, 2, 97, 0])],
						],
					],
				],
			],
		]),
	],
	run(input) {
		assert.ok(readMessages(input).length <= input.length / 16);
		readHostView([{ step: 0, elapsed_ns: 0n, reply: input }]);
		readTableNames(input);
		readBaseChains(input);
		readElements(input);
	},
};

const FILES = [
	'cpu.stat',
	'memory.stat',
	'memory.current',
	'memory.max',
	'pids.current',
	'io.stat',
	'cpu.pressure',
];
const cgroups = ofText({
	seeds: [
		'usage_usec 5\nuser_usec 3\nnr_periods 1\n',
		'max\n',
		'18446744073709551615\n',
		'8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n',
		'some avg10=0.00 avg60=1.50 avg300=0.00 total=7\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
	],
	tokens: ['max', 'total=', 'avg10=', 'rbytes=', ':', '99999999999999999999999'],
	cost: 15,
	async run(text) {
		parseNumber(text);
		parseKeyed(text)('usage_usec');
		parsePressure(text);
		await inFolder(async (folder) => {
			for (const name of FILES) writeFileSync(join(folder, name), text);
			statsV2(folder);
		});
	},
});

async function inFolder(work: (folder: string) => Promise<unknown>): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
	try {
		await work(folder);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

const procFiles = ofText({
	seeds: [
		'12 (a b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20',
		'Inter-| Receive\n face |bytes\n  eth0: 1 2 3 4 5 6 7 8 9 10 11\n    lo: 0 0\n',
		'36 35 98:0 / /mnt\\040x rw,noatime shared:1 master:2 - ext3 /dev/root rw\n',
	],
	tokens: ['\\040', '\\777', ' - ', 'shared:', ':', ') S ', '-'],
	run(text) {
		startTimeOf(text);
		parseNetDev(text);
		parseMountInfo(text);
	},
});

const exitRecord = ofText({
	seeds: ['pid=12\nexit_code=137\nsignal=9\nexited_at_ns=1700000000000000000\n'],
	tokens: ['exit_code=', '-', '='],
	cost: 6,
	run: (text) =>
		inFolder(async (folder) => {
			writeFileSync(join(folder, 'exit'), text);
			await readExitRecord(folder);
		}),
});

export const KERNEL = {
	'netlink-answers': netlink,
	'cgroup-files': cgroups,
	'proc-files': procFiles,
	'exit-record': exitRecord,
};
