/* A NET_APPLY payload, up to where its messages would be sent. */
#include <errno.h>
#include "../netlink.h"
#include "fuzz.h"
#include "samples.h"
#include "walk.h"

static void prepare(const struct net_step *step)
{
	struct netlink_exchange exchange = {.tolerate = &step->tolerate};
	uint8_t *messages = malloc(step->messages.size ? step->messages.size : 1);
	memcpy(messages, step->messages.data, step->messages.size);
	int patched = netlink_patch(messages, step->messages.size, &step->netns_fd_offsets, 9);
	int result = netlink_prepare(&exchange, messages, step->messages.size, 0xfffffffe);
	FUZZ_CHECK(patched <= 0 && result <= 0);
	FUZZ_CHECK(exchange.awaited_count <= exchange.count);
	FUZZ_CHECK(result < 0 || exchange.count > 0);
	netlink_release(&exchange);
	free(messages);
}

static void run(const uint8_t *data, size_t size)
{
	struct msg_net_apply plan;
	struct reader walked = {data, data + size, false}, reader = walked;
	walk_msg_net_apply(&walked);
	if (!msg_net_apply_decode(&reader, &plan)) return;
	for (uint32_t i = 0; i < plan.steps.count; i++) {
		struct net_step step;
		if (!net_step_decode(&plan.steps.items, &step)) return;
		prepare(&step);
	}
}

static bool seed(uint32_t index, struct writer *to)
{
	static struct sample_list steps, offsets, tolerate;
	static const uint8_t LINK[48];
	uint8_t messages[512];
	struct writer writer = {messages, 0, sizeof(messages), false};
	if (index > 4) return false;
	sample_begin(&steps);
	sample_begin(&offsets);
	sample_begin(&tolerate);
	sample_add_u32(&offsets, 20);
	sample_add_u32(&tolerate, ENOENT);
	for (uint32_t i = 0; i <= index; i++) {
		sample_netlink(&writer, 16, NLM_F_REQUEST | NLM_F_ACK, 0, LINK, sizeof(LINK) - i);
		SAMPLE_ADD(&steps, net_step, {.label = "make a link", .messages = {messages, (uint32_t)writer.size}, .netns_fd_offsets = sample_end(&offsets),
					      .tolerate = sample_end(&tolerate), .path = "", .value = ""});
	}
	SAMPLE_ADD(&steps, net_step, {.kind = NET_SYSCTL, .label = "set", .path = "net/ipv4/ip_forward", .value = "1"});
	struct msg_net_apply plan = {.netns_path = "/run/netns/x", .steps = sample_end(&steps)};
	msg_net_apply_encode(to, &plan);
	return true;
}

const struct fuzz_target fuzz_target = {"net_plan", seed, run};
