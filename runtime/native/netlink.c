#include "netlink.h"
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define AWAIT_ACK 1
#define AWAIT_DONE 2
/* The kernel answers within the system call; waiting is for what a later kernel may do elsewhere. */
#define REPLY_TIMEOUT_MS 10000
#define RECEIVE_BYTES (64u * 1024)
#define SOCKET_BUFFER (8 * 1024 * 1024)

/* ---- requests */

static uint8_t awaited_by(const struct nlmsghdr *header)
{
	/* NLM_F_DUMP shares its two bits with NLM_F_REPLACE and NLM_F_EXCL, which nobody sets together. */
	if ((header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) return AWAIT_DONE;
	return header->nlmsg_flags & NLM_F_ACK ? AWAIT_ACK : 0;
}

/* Reads a header at `at`, which need not be aligned. Answers the whole message's size, 0 when it is not well formed. */
static size_t header_at(const uint8_t *data, size_t size, size_t at, struct nlmsghdr *header)
{
	if (size - at < sizeof(*header)) return 0;
	memcpy(header, data + at, sizeof(*header));
	return header->nlmsg_len < sizeof(*header) || header->nlmsg_len > size - at ? 0 : header->nlmsg_len;
}

/* Where the next message begins; the last one of a buffer may lack its padding. */
static size_t next_at(size_t size, size_t at, size_t length)
{
	size_t next = at + NLMSG_ALIGN(length);
	return next > size ? size : next;
}

static uint32_t count_messages(const uint8_t *messages, size_t size)
{
	struct nlmsghdr header;
	uint32_t count = 0;
	for (size_t at = 0, length; at < size; at = next_at(size, at, length), count++)
		if ((length = header_at(messages, size, at, &header)) == 0) return 0;
	return count;
}

int netlink_prepare(struct netlink_exchange *exchange, uint8_t *messages, size_t size, uint32_t first_sequence)
{
	struct nlmsghdr header;
	exchange->count = count_messages(messages, size);
	exchange->first_sequence = first_sequence;
	if (exchange->count == 0) return -EINVAL;
	exchange->awaited = calloc(exchange->count, 1);
	if (!exchange->awaited) return -ENOMEM;

	size_t at = 0;
	for (uint32_t i = 0; i < exchange->count; i++) {
		size_t length = header_at(messages, size, at, &header);
		header.nlmsg_seq = first_sequence + i;
		header.nlmsg_pid = 0;
		memcpy(messages + at, &header, sizeof(header));
		exchange->awaited[i] = awaited_by(&header);
		exchange->awaited_count += exchange->awaited[i] != 0;
		exchange->dump |= exchange->awaited[i] == AWAIT_DONE;
		at = next_at(size, at, length);
	}
	/* A socket carries one dump at a time; and only a request alone can be sent again. */
	return exchange->dump && exchange->count > 1 ? -EINVAL : 0;
}

int netlink_patch(uint8_t *messages, size_t size, const struct list *offsets, uint32_t fd)
{
	struct reader items = offsets->items;
	for (uint32_t i = 0, offset; i < offsets->count; i++) {
		if (!get_u32(&items, &offset) || offset > size || size - offset < sizeof(fd)) return -EINVAL;
		memcpy(messages + offset, &fd, sizeof(fd));
	}
	return 0;
}

void netlink_release(struct netlink_exchange *exchange)
{
	free(exchange->awaited);
	free(exchange->reply);
	exchange->awaited = NULL;
	exchange->reply = NULL;
}

/* ---- replies */

static bool is_tolerated(const struct list *tolerate, uint32_t err)
{
	struct reader items = tolerate ? tolerate->items : (struct reader){0};
	for (uint32_t i = 0, value; tolerate && i < tolerate->count && get_u32(&items, &value); i++)
		if (value == err) return true;
	return false;
}

static void settle(struct netlink_exchange *exchange, uint32_t index)
{
	if (exchange->awaited[index] == 0) return;
	exchange->awaited[index] = 0;
	exchange->awaited_count--;
}

/* The attributes of an extended acknowledgement: a sentence, and the offset of what it is about. */
static void take_extended(struct netlink_exchange *exchange, const uint8_t *data, size_t size)
{
	struct nlattr attribute;
	for (size_t at = 0; size - at >= sizeof(attribute); at = next_at(size, at, attribute.nla_len)) {
		memcpy(&attribute, data + at, sizeof(attribute));
		if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > size - at) return;
		const uint8_t *value = data + at + sizeof(attribute);
		size_t length = attribute.nla_len - sizeof(attribute);
		switch (attribute.nla_type & NLA_TYPE_MASK) {
		case NLMSGERR_ATTR_MSG:
			if (length >= sizeof(exchange->err_text)) length = sizeof(exchange->err_text) - 1;
			memcpy(exchange->err_text, value, length);
			exchange->err_text[length] = 0;
			break;
		case NLMSGERR_ATTR_OFFS:
			if (length >= 4) memcpy(&exchange->err_offset, value, 4);
			break;
		}
	}
}

static void take_failure(struct netlink_exchange *exchange, uint32_t index, int32_t err, const uint8_t *extended, size_t size)
{
	if (exchange->err != 0) return;
	exchange->err = err;
	exchange->err_index = index;
	take_extended(exchange, extended, size);
}

/* struct nlmsgerr, the request's payload unless it is capped, the attributes if there are any. */
static void take_error(struct netlink_exchange *exchange, uint32_t index, const struct nlmsghdr *header, const uint8_t *payload)
{
	struct nlmsgerr error;
	size_t size = header->nlmsg_len - NLMSG_HDRLEN;
	if (size < sizeof(error)) return;
	memcpy(&error, payload, sizeof(error));

	int32_t err = error.error == INT32_MIN ? EIO : error.error < 0 ? -error.error : error.error;
	if (err != 0 && !is_tolerated(exchange->tolerate, (uint32_t)err)) {
		size_t at = sizeof(error);
		if (!(header->nlmsg_flags & NLM_F_CAPPED) && error.msg.nlmsg_len > NLMSG_HDRLEN)
			at += NLMSG_ALIGN((size_t)error.msg.nlmsg_len - NLMSG_HDRLEN);
		bool extended = (header->nlmsg_flags & NLM_F_ACK_TLVS) && at < size;
		take_failure(exchange, index, err, extended ? payload + at : NULL, extended ? size - at : 0);
	}
	settle(exchange, index);
}

/* The end of a dump carries its result. */
static void take_done(struct netlink_exchange *exchange, uint32_t index, const struct nlmsghdr *header, const uint8_t *payload)
{
	int32_t error = 0;
	size_t size = header->nlmsg_len - NLMSG_HDRLEN;
	if (size >= sizeof(error)) memcpy(&error, payload, sizeof(error));
	if (error < 0 && error != INT32_MIN && !is_tolerated(exchange->tolerate, (uint32_t)-error)) {
		bool extended = (header->nlmsg_flags & NLM_F_ACK_TLVS) != 0;
		take_failure(exchange, index, -error, extended ? payload + sizeof(error) : NULL, extended ? size - sizeof(error) : 0);
	}
	if (exchange->awaited[index] == AWAIT_DONE) settle(exchange, index);
}

static int take_reply(struct netlink_exchange *exchange, const uint8_t *message, size_t size)
{
	size_t padded = NLMSG_ALIGN(size);
	if (exchange->reply_size + padded > NETLINK_REPLY_MAX) return -EMSGSIZE;
	if (exchange->reply_size + padded > exchange->reply_capacity) {
		size_t capacity = 2 * exchange->reply_capacity + padded + 4096;
		uint8_t *grown = realloc(exchange->reply, capacity);
		if (!grown) return -ENOMEM;
		exchange->reply = grown;
		exchange->reply_capacity = capacity;
	}
	memcpy(exchange->reply + exchange->reply_size, message, size);
	memset(exchange->reply + exchange->reply_size + size, 0, padded - size);
	exchange->reply_size += padded;
	return 0;
}

int netlink_take(struct netlink_exchange *exchange, const uint8_t *data, size_t size)
{
	struct nlmsghdr header;
	for (size_t at = 0, length; at < size; at = next_at(size, at, length)) {
		if ((length = header_at(data, size, at, &header)) == 0) return -EBADMSG;
		uint32_t index = header.nlmsg_seq - exchange->first_sequence;
		if (index >= exchange->count) continue; /* late answers to an exchange that was given up */
		if (header.nlmsg_flags & NLM_F_DUMP_INTR) exchange->interrupted = true;
		const uint8_t *payload = data + at + NLMSG_HDRLEN;
		int result = 0;
		switch (header.nlmsg_type) {
		case NLMSG_NOOP:
			break;
		case NLMSG_ERROR:
			take_error(exchange, index, &header, payload);
			break;
		case NLMSG_DONE:
			take_done(exchange, index, &header, payload);
			break;
		case NLMSG_OVERRUN:
			return -ENOBUFS;
		default:
			result = take_reply(exchange, data + at, length);
		}
		if (result < 0) return result;
	}
	return 0;
}

/* ---- the socket */

int netlink_open(int protocol)
{
	int one = 1, buffer = SOCKET_BUFFER;
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) return -errno;
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	/* A batch goes out in one piece, and its acknowledgements wait in the socket until it is done. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	return take_fd(&fd);
}

static int send_messages(int socket, const uint8_t *messages, size_t size)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent;
	do sent = sendto(socket, messages, size, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* Answers 1 when something came, 0 when nothing is there, -errno. */
static int receive(int socket, struct netlink_exchange *exchange, uint8_t *buffer, int flags)
{
	struct sockaddr_nl sender;
	socklen_t sender_size = sizeof(sender);
	ssize_t size = recvfrom(socket, buffer, RECEIVE_BYTES, flags | MSG_TRUNC, (struct sockaddr *)&sender, &sender_size);
	if (size < 0) return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -errno;
	if ((size_t)size > RECEIVE_BYTES) return -EMSGSIZE;
	if (sender.nl_pid != 0) return 1; /* not the kernel */
	int result = netlink_take(exchange, buffer, (size_t)size);
	return result < 0 ? result : 1;
}

int netlink_exchange(int socket, struct netlink_exchange *exchange, const uint8_t *messages, size_t size)
{
	AUTO_FREE uint8_t *buffer = malloc(RECEIVE_BYTES);
	int result = buffer ? send_messages(socket, messages, size) : -ENOMEM;
	if (result < 0) return result;
	while (exchange->awaited_count > 0 && exchange->err == 0) {
		struct pollfd ready = {socket, POLLIN, 0};
		int polled = poll(&ready, 1, REPLY_TIMEOUT_MS);
		if (polled < 0 && errno == EINTR) continue;
		if (polled <= 0) return polled < 0 ? -errno : -ETIMEDOUT;
		result = receive(socket, exchange, buffer, MSG_DONTWAIT);
		if (result < 0) return result;
	}
	/* Failures of messages that asked for no acknowledgement, echoes, and what a failed batch says beside. */
	do result = receive(socket, exchange, buffer, MSG_DONTWAIT);
	while (result > 0);
	return result;
}
