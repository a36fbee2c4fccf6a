#include "conn.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PAGE 4096u

static size_t round_to_pages(size_t size) { return (size + PAGE - 1) & ~(size_t)(PAGE - 1); }

void conn_init(struct conn *conn, int fd)
{
	*conn = (struct conn){.fd = fd};
}

static void release_in(struct conn *conn)
{
	pages_free(conn->in, conn->in_capacity);
	conn->in = NULL;
	conn->in_size = conn->in_capacity = 0;
}

static void release_out(struct conn *conn)
{
	pages_free(conn->out, conn->out_capacity);
	conn->out = NULL;
	conn->out_at = conn->out_size = conn->out_capacity = 0;
}

void conn_close(struct conn *conn)
{
	close_at(&conn->fd);
	release_in(conn);
	release_out(conn);
}

void conn_trim(struct conn *conn)
{
	if (conn->in_size == 0) release_in(conn);
	if (!conn_is_waiting(conn)) release_out(conn);
}

/* The size of the whole frame that starts with these bytes; 0: not known yet; -EPROTO. */
static ssize_t frame_size(const uint8_t *data, size_t size)
{
	uint32_t payload;
	if (size < 4) return 0;
	memcpy(&payload, data, 4);
	if (payload > MAX_FRAME_BYTES) return -EPROTO;
	return size < FRAME_HEADER_BYTES ? 0 : (ssize_t)(FRAME_HEADER_BYTES + payload);
}

size_t conn_peek(const struct conn *conn)
{
	uint8_t header[FRAME_HEADER_BYTES];
	ssize_t n = recv(conn->fd, header, sizeof header, MSG_PEEK | MSG_DONTWAIT);
	ssize_t size = n < 0 ? 0 : frame_size(header, (size_t)n);
	return size < 0 ? 0 : (size_t)size;
}

static int hand_over(struct conn *conn, const uint8_t *data, size_t size, frame_handler handler, void *context)
{
	struct frame frame = {.body = {data + FRAME_HEADER_BYTES, data + size, false}};
	memcpy(&frame.type, data + 4, 2);
	memcpy(&frame.version, data + 6, 2);
	memcpy(&frame.request_id, data + 8, 4);
	return handler(context, conn, &frame);
}

/* Makes room for the frame that conn->in begins; until its header is known one page is enough. */
static int reserve_in(struct conn *conn, size_t needed)
{
	size_t capacity = round_to_pages(needed);
	if (capacity <= conn->in_capacity) return 0;
	uint8_t *grown = pages_new(capacity);
	if (!grown) return -ENOMEM;
	if (conn->in_size) memcpy(grown, conn->in, conn->in_size);
	pages_free(conn->in, conn->in_capacity);
	conn->in = grown;
	conn->in_capacity = capacity;
	return 0;
}

static int keep_rest(struct conn *conn, const uint8_t *data, size_t size)
{
	if (size == 0) return 0;
	ssize_t whole = frame_size(data, size);
	if (whole < 0) return (int)whole;
	int result = reserve_in(conn, whole ? (size_t)whole : FRAME_HEADER_BYTES);
	if (result < 0) return result;
	memcpy(conn->in, data, size);
	conn->in_size = size;
	return 0;
}

static int hand_over_all(struct conn *conn, const uint8_t *data, size_t size, frame_handler handler, void *context)
{
	while (size > 0) {
		ssize_t whole = frame_size(data, size);
		if (whole < 0) return (int)whole;
		if (whole == 0 || (size_t)whole > size) break;
		int result = hand_over(conn, data, (size_t)whole, handler, context);
		if (result < 0) return result;
		data += whole;
		size -= (size_t)whole;
	}
	int result = keep_rest(conn, data, size);
	return result < 0 ? result : 1;
}

static ssize_t read_once(int fd, uint8_t *buffer, size_t size)
{
	ssize_t n;
	do n = read(fd, buffer, size);
	while (n < 0 && errno == EINTR);
	if (n < 0) return errno == EAGAIN ? 0 : -errno;
	return n == 0 ? -EPIPE : n;
}

/* A frame that did not fit one read: its bytes are read to where they belong. */
static int receive_partial(struct conn *conn, frame_handler handler, void *context)
{
	ssize_t whole = frame_size(conn->in, conn->in_size);
	size_t wanted = (whole > 0 ? (size_t)whole : FRAME_HEADER_BYTES) - conn->in_size;
	if (wanted > 0) {
		ssize_t n = read_once(conn->fd, conn->in + conn->in_size, wanted);
		if (n <= 0) return (int)n;
		conn->in_size += (size_t)n;
		whole = frame_size(conn->in, conn->in_size);
		if (whole < 0) return (int)whole;
		if (whole > 0 && reserve_in(conn, (size_t)whole) < 0) return -ENOMEM;
	}
	if (whole == 0 || conn->in_size < (size_t)whole) return 1;
	/* Taken out first, so that the handler may use the connection as it likes. */
	uint8_t *data = conn->in;
	size_t capacity = conn->in_capacity;
	conn->in = NULL;
	conn->in_size = conn->in_capacity = 0;
	int result = hand_over(conn, data, (size_t)whole, handler, context);
	if (conn->keeps && !conn->in) {
		conn->in = data;
		conn->in_capacity = capacity;
	} else pages_free(data, capacity);
	return result < 0 ? result : 1;
}

int conn_receive(struct conn *conn, uint8_t *buffer, frame_handler handler, void *context)
{
	if (conn->in_size > 0) return receive_partial(conn, handler, context);
	ssize_t n = read_once(conn->fd, buffer, CONN_READ_BYTES);
	return n <= 0 ? (int)n : hand_over_all(conn, buffer, (size_t)n, handler, context);
}

int conn_receive_blocking(struct conn *conn, frame_handler handler, void *context)
{
	int result = reserve_in(conn, FRAME_HEADER_BYTES);
	if (result < 0) return result;
	do result = receive_partial(conn, handler, context);
	while (result > 0 && conn->in); /* the buffer is gone once its frame was handed over */
	return result;
}

bool conn_has_room(const struct conn *conn, size_t bytes)
{
	size_t queued = conn->out_size - conn->out_at;
	return queued == 0 || queued + bytes <= CONN_OUT_STREAM;
}

static int queue(struct conn *conn, const struct iovec *parts, int count)
{
	size_t added = 0, queued = conn->out_size - conn->out_at;
	for (int i = 0; i < count; i++) added += parts[i].iov_len;
	if (added == 0) return 0;
	if (queued + added > CONN_OUT_MAX) return -ENOBUFS;
	if (conn->out_size + added > conn->out_capacity) {
		size_t capacity = round_to_pages(queued + added);
		/* Doubling keeps a stream of small frames to a slow reader from being copied again and again. */
		if (queued && capacity < 2 * queued) capacity = round_to_pages(2 * queued);
		uint8_t *grown = pages_new(capacity);
		if (!grown) return -ENOMEM;
		if (queued) memcpy(grown, conn->out + conn->out_at, queued);
		pages_free(conn->out, conn->out_capacity);
		conn->out = grown;
		conn->out_capacity = capacity;
		conn->out_at = 0;
		conn->out_size = queued;
	}
	for (int i = 0; i < count; i++) {
		if (parts[i].iov_len) memcpy(conn->out + conn->out_size, parts[i].iov_base, parts[i].iov_len);
		conn->out_size += parts[i].iov_len;
	}
	return 0;
}

static int mark_broken(struct conn *conn, int result)
{
	conn->broken = true;
	release_out(conn);
	return result;
}

/* A write that may not finish; MSG_NOSIGNAL because a client that went away is no reason to die. */
static ssize_t write_some(struct conn *conn, struct iovec *parts, int count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
	ssize_t n;
	do n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) return 0;
	if (n < 0) return -errno;
	conn->out_total += (uint64_t)n;
	return n;
}

int conn_flush(struct conn *conn)
{
	while (conn_is_waiting(conn)) {
		struct iovec part = {conn->out + conn->out_at, conn->out_size - conn->out_at};
		ssize_t n = write_some(conn, &part, 1);
		if (n < 0) return mark_broken(conn, (int)n);
		if (n == 0) return 1;
		conn->out_at += (size_t)n;
	}
	conn->out_at = conn->out_size = 0;
	if (!conn->keeps) release_out(conn);
	return 0;
}

int conn_send(struct conn *conn, uint16_t type, uint32_t request_id, struct bytes head, struct bytes tail)
{
	if (conn->broken) return -EPIPE;
	if ((uint64_t)head.size + tail.size > MAX_FRAME_BYTES) return -EMSGSIZE;
	uint8_t header[FRAME_HEADER_BYTES];
	struct writer writer = {header, 0, sizeof header, false};
	put_u32(&writer, head.size + tail.size);
	put_u16(&writer, type);
	put_u16(&writer, PROTOCOL_VERSION);
	put_u32(&writer, request_id);
	struct iovec parts[3] = {
		{header, sizeof header},
		{(void *)(uintptr_t)head.data, head.size},
		{(void *)(uintptr_t)tail.data, tail.size},
	};
	if (!conn_is_waiting(conn)) {
		ssize_t n = write_some(conn, parts, 3);
		if (n < 0) return mark_broken(conn, (int)n);
		for (int i = 0; i < 3; i++) {
			size_t taken = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
			parts[i].iov_base = (uint8_t *)parts[i].iov_base + taken;
			parts[i].iov_len -= taken;
			n -= (ssize_t)taken;
		}
	}
	int result = queue(conn, parts, 3);
	return result < 0 ? mark_broken(conn, result) : 0;
}

int conn_send_ok(struct conn *conn, uint32_t request_id)
{
	return conn_send(conn, MSG_OK, request_id, NO_BYTES, NO_BYTES);
}

int conn_send_error(struct conn *conn, uint32_t request_id, int err, uint32_t step, uint32_t op, const char *detail)
{
	struct msg_error message = {.err = err, .step = step, .op = op, .detail = detail};
	return CONN_SEND(conn, request_id, ERROR, error, strlen(detail) + 64, &message);
}

int conn_greet(struct conn *conn, const struct frame *frame, const char *sandbox_id)
{
	if (conn->greeted) return 0;
	struct msg_hello hello;
	struct reader body = frame->body;
	if (frame->type != MSG_HELLO || !msg_hello_decode(&body, &hello)) return -EPROTO;
	struct msg_welcome welcome = {
		.version = PROTOCOL_VERSION,
		.pid = (uint32_t)getpid(),
		.start_time = start_time_of(getpid()),
		.sandbox_id = sandbox_id,
	};
	conn->greeted = true;
	int result = CONN_SEND(conn, frame->request_id, WELCOME, welcome, strlen(sandbox_id) + 64, &welcome);
	return result < 0 ? result : 1;
}
