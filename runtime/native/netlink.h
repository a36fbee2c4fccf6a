/* One exchange with the kernel over a netlink socket: requests go out in one piece, acknowledgements and dumps
 * come back. Reading replies touches no socket, so that it can be fuzzed. */
#pragma once
#include "protocol.h"
#include "util.h"

/* What an exchange brought may not be larger than this: it travels in one frame. */
#define NETLINK_REPLY_MAX (MAX_FRAME_BYTES - 256u * 1024)

struct netlink_exchange {
	const struct list *tolerate; /* u32 errno values that are no failure */
	uint32_t first_sequence;
	uint32_t count;		/* messages; their sequence numbers follow one another */
	uint8_t *awaited;	/* per message: 1 an acknowledgement, 2 the end of a dump */
	uint32_t awaited_count;
	bool dump;
	bool interrupted;	/* the dumped table changed meanwhile (NLM_F_DUMP_INTR) */
	uint8_t *reply;		/* what dumps and echoes brought: nlmsghdrs one after the other */
	size_t reply_size, reply_capacity;
	int32_t err;		/* the first failure, a positive errno */
	uint32_t err_index;	/* the message that it is about */
	uint32_t err_offset;	/* the byte of that message that the kernel points at; 0: it points at none */
	char err_text[128];	/* the kernel's extended acknowledgement; "" if none */
};

/* Numbers the messages in place and notes what to wait for. -EINVAL when they are no well-formed nlmsghdrs. */
int netlink_prepare(struct netlink_exchange *exchange, uint8_t *messages, size_t size, uint32_t first_sequence);
/* Writes a descriptor's number where the messages want it (IFLA_NET_NS_FD and the like): offsets is a list of u32.
 * -EINVAL when one lies beyond the messages. */
int netlink_patch(uint8_t *messages, size_t size, const struct list *offsets, uint32_t fd);
/* Takes what one recvmsg brought. 0 or -errno (the exchange's own failure is in exchange->err). */
int netlink_take(struct netlink_exchange *exchange, const uint8_t *data, size_t size);
void netlink_release(struct netlink_exchange *exchange);

/* A socket of a netlink protocol in the present network namespace, or -errno. */
int netlink_open(int protocol);
/* Sends prepared messages and takes replies until nothing is awaited. 0 or -errno. */
int netlink_exchange(int socket, struct netlink_exchange *exchange, const uint8_t *messages, size_t size);
