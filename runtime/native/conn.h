/* A framed connection over a stream socket, for an epoll loop or, on a blocking socket, for a plain one.
 *
 * It keeps no memory while it is idle: a frame that came whole is handled in the caller's read buffer, a partial
 * one is kept in a buffer of its own, and what a slow reader has not taken lies in an outgoing one. Both are
 * given back as soon as they are empty.
 */
#pragma once
#include <errno.h>
#include "protocol.h"
#include "util.h"

#define NO_BYTES ((struct bytes){NULL, 0})

/* One frame; body is valid only while the handler runs. */
struct frame {
	uint16_t type;
	uint16_t version;
	uint32_t request_id;
	struct reader body;
};

struct conn {
	int fd;
	bool greeted;	 /* HELLO came and WELCOME was sent */
	bool keeps;	 /* buffers that are empty are kept for what comes next, until conn_trim: a stream would make them anew for each frame */
	bool broken;	 /* a write failed: nothing more is sent, close it */
	uint8_t *in;	 /* a frame that is not yet whole */
	size_t in_size, in_capacity;
	uint8_t *out;	 /* what was sent but not yet taken by the socket: [out_at, out_size) */
	size_t out_at, out_size, out_capacity;
	uint64_t out_total; /* bytes that the socket took, ever: progress of a slow reader */
};

/* Answers < 0 to close the connection. */
typedef int (*frame_handler)(void *context, struct conn *conn, const struct frame *frame);

/* More outgoing bytes than this are not queued for streams; ask conn_has_room first. Replies are queued in any case, up to CONN_OUT_MAX. */
#define CONN_OUT_STREAM (256u * 1024)
#define CONN_OUT_MAX (2u * MAX_FRAME_BYTES)
/* The size of a read buffer for conn_receive. */
#define CONN_READ_BYTES (64u * 1024)

void conn_init(struct conn *conn, int fd);
/* Closes the socket and frees the buffers. */
void conn_close(struct conn *conn);
/* Frees the buffers that are empty. */
void conn_trim(struct conn *conn);

/* The size of the frame that comes next, header included, of which nothing has been read; 0 when that is not known yet. */
size_t conn_peek(const struct conn *conn);

/* Reads once into `buffer` (CONN_READ_BYTES, may be shared by all connections) and hands over every frame that is
 * now whole. Answers 1: read something, 0: nothing there now (EAGAIN), -EPIPE: the other side closed,
 * -EPROTO: no frame of ours, or what the handler answered. */
int conn_receive(struct conn *conn, uint8_t *buffer, frame_handler handler, void *context);
/* Waits for one whole frame on a blocking socket and hands it over (what follows it stays in the socket). 1, or as above. */
int conn_receive_blocking(struct conn *conn, frame_handler handler, void *context);

bool conn_has_room(const struct conn *conn, size_t bytes);
/* True while conn_flush has work: wait for EPOLLOUT. */
static inline bool conn_is_waiting(const struct conn *conn) { return conn->out_at < conn->out_size; }
/* Writes what is queued. 0: all gone; 1: wait for EPOLLOUT; -errno: broken. */
int conn_flush(struct conn *conn);

/* Sends a frame whose payload is `head` and then `tail` (either may be empty), directly if possible; queues the rest. */
int conn_send(struct conn *conn, uint16_t type, uint32_t request_id, struct bytes head, struct bytes tail);
int conn_send_ok(struct conn *conn, uint32_t request_id);
int conn_send_error(struct conn *conn, uint32_t request_id, int err, uint32_t step, uint32_t op, const char *detail);
static inline int conn_send_failure(struct conn *conn, uint32_t request_id, const struct failure *failure)
{
	return conn_send_error(conn, request_id, failure->err, NO_STEP, 0, failure->detail);
}

/* HELLO → WELCOME. Answers 1 when the frame was a HELLO and is answered, 0 when it is for the caller (greeted before),
 * -EPROTO when a connection starts with anything else. */
int conn_greet(struct conn *conn, const struct frame *frame, const char *sandbox_id);

/* Encodes a message into pages of its own and sends it:
 *   CONN_SEND(conn, request_id, CREATED, created, room, &(struct msg_created){...}) */
#define CONN_SEND(conn, request_id, NAME, name, capacity_, message)                                                     \
	({                                                                                                                \
		size_t room_ = (capacity_);                                                                               \
		struct writer writer_ = {malloc(room_), 0, room_, false};                                                   \
		int sent_ = -ENOMEM;                                                                                      \
		if (writer_.data) {                                                                                       \
			msg_##name##_encode(&writer_, (message));                                                           \
			struct bytes payload_ = {writer_.data, (uint32_t)writer_.size};                                     \
			sent_ = writer_.full ? -EMSGSIZE : conn_send((conn), MSG_##NAME, (request_id), payload_, NO_BYTES); \
			free(writer_.data);                                                                               \
		}                                                                                                         \
		sent_;                                                                                                    \
	})
