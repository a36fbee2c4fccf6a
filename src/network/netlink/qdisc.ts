/** Token bucket filters (linux/pkt_sched.h): what leaves a link leaves it at a rate. */
import { routeStep, type Where } from './step.ts';
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE } from './writer.ts';

const RTM_NEWQDISC = 36;
const TC_H_ROOT = 0xffffffff;
/** 1: */
const HANDLE = 0x10000;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_TBF = { PARMS: 1, RATE64: 4, BURST: 6 } as const;
const TC_LINKLAYER_ETHERNET = 1;
const RATE32_MAX = 0xffffffff;
/** A whole segment of the largest kind passes at once, and never less than 10 ms of the rate. */
const LEAST_BURST_BYTES = 64 * 1024;
const BURST_SECONDS = 0.01;
/** How long a packet may wait before others are dropped. */
const QUEUE_SECONDS = 0.05;
const BYTES_MAX = 2 ** 31 - 1;

/** Limits what leaves a link. `bitsPerSecond` from 1000. */
export const limitRate = (where: Where, link: { name: string; index: number }, bitsPerSecond: number) =>
	routeStep(
		where,
		`limit what leaves ${link.name}${where === 'pod' ? ' in the pod' : ''} to ${bitsPerSecond} bit/s`,
		(writer) => {
			const rate = Math.floor(bitsPerSecond / 8);
			const burst = Math.min(Math.max(LEAST_BURST_BYTES, Math.ceil(rate * BURST_SECONDS)), BYTES_MAX);
			const limit = Math.min(burst + Math.ceil(rate * QUEUE_SECONDS), BYTES_MAX);
			writer.message(RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, () => {
				for (const word of [0, link.index, HANDLE, TC_H_ROOT, 0]) writer.u32(word);
				writer.string(TCA_KIND, 'tbf');
				writer.nested(TCA_OPTIONS, () => {
					writer.bytes(TCA_TBF.PARMS, parameters(Math.min(rate, RATE32_MAX), limit));
					writer.attributeU32(TCA_TBF.BURST, burst);
					if (rate >= RATE32_MAX) writer.bytes(TCA_TBF.RATE64, u64(rate));
				});
			});
		},
	);

/** struct tc_tbf_qopt: rate and peak rate (12 bytes each), limit, buffer, mtu. With a link layer no rate table is needed. */
function parameters(rate: number, limit: number): Buffer {
	const bytes = Buffer.alloc(36);
	bytes.writeUInt8(TC_LINKLAYER_ETHERNET, 1);
	bytes.writeUInt32LE(rate, 8);
	bytes.writeUInt32LE(limit, 24);
	return bytes;
}

function u64(value: number): Buffer {
	const bytes = Buffer.alloc(8);
	bytes.writeBigUInt64LE(BigInt(value));
	return bytes;
}
