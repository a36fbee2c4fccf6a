/* Well-formed messages that several harnesses start from. */
#pragma once
#include <linux/netlink.h>
#include "../protocol.h"

/* Encodes elements into `room` and answers them as a list. */
struct sample_list {
	uint8_t data[4096];
	struct writer writer;
	uint32_t count;
};
static inline void sample_begin(struct sample_list *list)
{
	list->writer = (struct writer){list->data, 0, sizeof(list->data), false};
	list->count = 0;
}
static inline struct list sample_end(const struct sample_list *list)
{
	return (struct list){list->count, {list->data, list->data + list->writer.size, false}};
}
#define SAMPLE_ADD(list, name, ...)                                                      \
	do {                                                                               \
		struct name element_ = __VA_ARGS__;                                          \
		name##_encode(&(list)->writer, &element_);                                   \
		(list)->count++;                                                             \
	} while (0)
static inline void sample_add_str(struct sample_list *list, const char *text)
{
	put_str(&list->writer, text);
	list->count++;
}
static inline void sample_add_u32(struct sample_list *list, uint32_t value)
{
	put_u32(&list->writer, value);
	list->count++;
}

/* A netlink message with `size` bytes of payload; nlmsghdr is put as bytes, for `to` need not be aligned. */
static inline void sample_netlink(struct writer *to, uint16_t type, uint16_t flags, uint32_t sequence, const void *payload, uint32_t size)
{
	struct nlmsghdr header = {NLMSG_HDRLEN + size, type, flags, sequence, 0};
	put_raw(to, &header, sizeof(header));
	put_raw(to, payload, size);
	put_raw(to, "\0\0\0", (4 - size % 4) % 4);
}
