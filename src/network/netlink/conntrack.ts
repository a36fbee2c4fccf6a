/** Deletes connection tracking entries (linux/netfilter/nfnetlink_conntrack.h). */
import { AF } from './route.ts';
import { ERRNO, netfilterStep } from './step.ts';
import { NLM_F_ACK } from './writer.ts';

const SUBSYSTEM = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER = 25;
const CTA_FILTER_ORIG_FLAGS = 1;
/** What of the tuple must match: bits of CTA_FILTER_ORIG_FLAGS. */
const MATCH_PROTOCOL = 1 << 3;
const MATCH_DESTINATION_PORT = 1 << 5;
const IPPROTO_UDP = 17;

/**
 * Forgets UDP flows to a host port: a client that keeps sending would otherwise be rewritten to the old pod for
 * ever. Kernels that cannot filter a deletion answer EINVAL, and the entries time out by themselves.
 */
export const forgetUdpFlows = (family: 4 | 6, port: number) =>
	netfilterStep(
		`forget UDP flows to port ${port} (IPv${family})`,
		(writer) =>
			writer.message((SUBSYSTEM << 8) | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, () => {
				writer.u8(AF[family]);
				writer.u8(0);
				writer.be16(0);
				writer.nested(CTA_TUPLE_ORIG, () =>
					writer.nested(CTA_TUPLE_PROTO, () => {
						writer.attributeU8(CTA_PROTO_NUM, IPPROTO_UDP);
						writer.bytes(CTA_PROTO_DST_PORT, Buffer.from([port >> 8, port & 255]));
					}),
				);
				writer.nested(CTA_FILTER, () =>
					writer.attributeU32(CTA_FILTER_ORIG_FLAGS, MATCH_PROTOCOL | MATCH_DESTINATION_PORT),
				);
			}),
		[ERRNO.ENOENT, ERRNO.EINVAL, ERRNO.EOPNOTSUPP],
	);
