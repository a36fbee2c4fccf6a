/* A byte stream cut into frames by conn_receive, in pieces of every size. */
#include <errno.h>
#include <sys/socket.h>
#include "../conn.h"
#include "fuzz.h"

struct seen {
	uint32_t frames;
	size_t bytes;
};

static int take(void *context, struct conn *conn, const struct frame *frame)
{
	struct seen *seen = context;
	volatile uint8_t sum = 0;
	int greeted = conn_greet(conn, frame, "sandbox");
	for (const uint8_t *at = frame->body.at; at < frame->body.end; at++) sum = (uint8_t)(sum + *at);
	seen->frames++;
	seen->bytes += FRAME_HEADER_BYTES + (size_t)(frame->body.end - frame->body.at);
	return greeted < 0 ? greeted : 0;
}

static void run(const uint8_t *data, size_t size)
{
	static uint8_t buffer[CONN_READ_BYTES];
	int sockets[2];
	struct conn conn;
	struct seen seen = {0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets) < 0) return;
	conn_init(&conn, sockets[0]);
	size_t piece = 1 + (size * 2654435761u >> 7) % (size % 8 ? 1500 : 8);
	int result = 0;
	for (size_t at = 0; at < size && result >= 0; at += piece) {
		size_t count = piece < size - at ? piece : size - at;
		if (write(sockets[1], data + at, count) != (ssize_t)count) break;
		do result = conn_receive(&conn, buffer, take, &seen);
		while (result > 0);
	}
	FUZZ_CHECK(seen.bytes <= size);
	FUZZ_CHECK(conn.in_size <= conn.in_capacity);
	conn_close(&conn);
	close(sockets[1]);
}

static void put_frame(struct writer *to, uint16_t type, const void *payload, uint32_t size)
{
	put_u32(to, size);
	put_u16(to, type);
	put_u16(to, PROTOCOL_VERSION);
	put_u32(to, 7);
	put_raw(to, payload, size);
}

static bool seed(uint32_t index, struct writer *to)
{
	static const uint8_t ZEROS[3000];
	uint32_t version = PROTOCOL_VERSION;
	put_frame(to, MSG_HELLO, &version, 4);
	for (uint32_t i = 0; i < index; i++) put_frame(to, MSG_LIST, ZEROS, i * 700);
	return index < 5;
}

const struct fuzz_target fuzz_target = {"frames", seed, run};
