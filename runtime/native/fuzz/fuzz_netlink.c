/* What the kernel answers: acknowledgements with and without text, dumps, ends of dumps. */
#include <errno.h>
#include "../netlink.h"
#include "fuzz.h"
#include "samples.h"

static void run(const uint8_t *data, size_t size)
{
	uint8_t requests[256];
	struct writer writer = {requests, 0, sizeof(requests), false};
	/* The first byte chooses what is awaited: three acknowledgements, or a dump. */
	if (size == 0) return;
	if (data[0] % 2)
		sample_netlink(&writer, 18, NLM_F_REQUEST | NLM_F_DUMP, 0, "", 0);
	else
		for (int i = 0; i < 3; i++) sample_netlink(&writer, 16, NLM_F_REQUEST | NLM_F_ACK, 0, "12345678", 8);
	struct netlink_exchange exchange = {0};
	FUZZ_CHECK(netlink_prepare(&exchange, requests, writer.size, 5) == 0);
	int result = netlink_take(&exchange, data + 1, size - 1);
	FUZZ_CHECK(result <= 0 && exchange.err >= 0);
	FUZZ_CHECK(exchange.awaited_count <= 3);
	FUZZ_CHECK(memchr(exchange.err_text, 0, sizeof(exchange.err_text)));
	FUZZ_CHECK(exchange.reply_size <= size + 4);
	netlink_release(&exchange);
}

static void put_error(struct writer *to, uint16_t flags, uint32_t sequence, int32_t error, const char *text)
{
	uint8_t payload[256];
	struct writer writer = {payload, 0, sizeof(payload), false};
	struct nlmsgerr head = {error, {NLMSG_HDRLEN + 8, 16, 5, sequence, 0}};
	put_raw(&writer, &head, sizeof(head));
	if (!(flags & NLM_F_CAPPED)) put_raw(&writer, "12345678", 8);
	if (text) {
		struct nlattr message = {(uint16_t)(4 + strlen(text) + 1), NLMSGERR_ATTR_MSG}, offset = {8, NLMSGERR_ATTR_OFFS};
		put_raw(&writer, &offset, 4);
		put_u32(&writer, 20);
		put_raw(&writer, &message, 4);
		put_raw(&writer, text, strlen(text) + 1);
	}
	sample_netlink(to, NLMSG_ERROR, flags, sequence, payload, (uint32_t)writer.size);
}

static bool seed(uint32_t index, struct writer *to)
{
	int32_t done = index == 3 ? -ENOENT : 0;
	put_raw(to, index < 2 ? "\0" : "\1", 1);
	switch (index) {
	case 0:
		for (uint32_t i = 0; i < 3; i++) put_error(to, NLM_F_CAPPED, 5 + i, 0, NULL);
		return true;
	case 1:
		put_error(to, NLM_F_CAPPED | NLM_F_ACK_TLVS, 5, -EEXIST, "there is one already");
		put_error(to, NLM_F_ACK_TLVS, 6, -EINVAL, "no");
		return true;
	case 2:
	case 3:
		for (int i = 0; i < 3; i++) sample_netlink(to, 16, NLM_F_MULTI, 5, "0123456789abcdef0123", 20);
		sample_netlink(to, NLMSG_DONE, NLM_F_MULTI, 5, &done, 4);
		return true;
	case 4:
		sample_netlink(to, 16, NLM_F_MULTI | NLM_F_DUMP_INTR, 5, "x", 1);
		sample_netlink(to, NLMSG_NOOP, 0, 5, "", 0);
		sample_netlink(to, NLMSG_OVERRUN, 0, 5, "", 0);
		return true;
	default:
		return false;
	}
}

const struct fuzz_target fuzz_target = {"netlink", seed, run};
