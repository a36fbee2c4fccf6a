/* FORWARD: a connection to a port within a container's network namespace, whose streams are its client's.
 *
 *   daemon ──STDIN────────────> kept until the socket takes it ──> port
 *          <─OUTPUT── read(64 KiB), when the client has room <──── port
 *
 * Each side ends on its own: CLOSE_STDIN is passed on as a FIN, that of the port as FORWARD_CLOSED. What breaks is
 * told by its errno, and a client that goes before both sides have ended resets the port's end: it must not take
 * a part for the whole.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "netns_socket.h"
#include "shim_state.h"

struct forward {
	struct client *client;
	struct source source;	/* the socket that is tried, or connected */
	int other;		/* the one for ::1, when 127.0.0.1 does not answer; -1: none */
	char *container;
	uint32_t port;
	struct request opening, closing; /* FORWARD and CLOSE_STDIN; client NULL: nothing to answer */
	uint8_t *in_data;	/* what the port has not taken yet: [in_at, in_size) */
	size_t in_at, in_size;
	bool connected;
	bool paused;		/* the client is slow */
	bool in_ended, out_ended;
	int refused;		/* why 127.0.0.1 did not answer; an errno */
	int broken;		/* why nothing can be written any more; an errno */
};

static void drop_input(struct forward *forward)
{
	free(forward->in_data);
	forward->in_data = NULL;
	forward->in_at = forward->in_size = 0;
}

static void set_blocked(struct forward *forward, bool blocked)
{
	if (forward->client->stdin_blocked == blocked) return;
	forward->client->stdin_blocked = blocked;
	client_update(forward->client);
}

/* The client stays, without streams. */
void forward_close(struct forward *forward)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct loop *loop = &forward->client->shim->loop;
	bool whole = forward->in_ended && forward->out_ended && !forward->broken;
	if (forward->connected && !whole) setsockopt(forward->source.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	source_close(loop, &forward->source);
	close_at(&forward->other);
	drop_input(forward);
	set_blocked(forward, false);
	forward->client->forward = NULL;
	free(forward->container);
	free(forward);
}

static void tell_closed(struct forward *forward, int err)
{
	struct msg_forward_closed closed = {.err = err};
	CONN_SEND(&forward->client->conn, 0, FORWARD_CLOSED, forward_closed, 64, &closed);
	client_sent(forward->client);
}

/* Tells why, if it is not in order, and closes the client's connection. Frees the forward. */
static void finish(struct forward *forward, int err)
{
	struct client *client = forward->client;
	if (err) tell_closed(forward, err);
	forward_close(forward);
	client_finish(client);
}

/* Waits for what comes next, or finishes. May free the forward. */
static void settle(struct forward *forward)
{
	if (forward->out_ended && (forward->in_ended || forward->broken)) {
		finish(forward, forward->broken);
		return;
	}
	/* A hang-up is reported whether it is asked for or not: with nothing to do the socket is out of the loop. */
	uint32_t events = (forward->out_ended || forward->paused ? 0 : EPOLLIN) | (forward->in_data ? EPOLLOUT : 0);
	source_watch(&forward->client->shim->loop, &forward->source, events);
}

static void break_input(struct forward *forward, int err)
{
	if (!forward->broken) forward->broken = err;
	drop_input(forward);
	set_blocked(forward, false);
}

static void end_input(struct forward *forward)
{
	if (shutdown(forward->source.fd, SHUT_WR) < 0) {
		break_input(forward, errno);
		return;
	}
	forward->in_ended = true;
	conn_send_ok(&forward->client->conn, forward->closing.id);
	client_sent(forward->client);
}

/* As much as the socket takes; answers how much, or -1 when it is broken. */
static ssize_t write_some(struct forward *forward, const uint8_t *data, size_t size)
{
	size_t at = 0;
	while (at < size) {
		ssize_t n = send(forward->source.fd, data + at, size - at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) break;
		if (n < 0) {
			break_input(forward, errno);
			return -1;
		}
		at += (size_t)n;
	}
	return (ssize_t)at;
}

static void flush_input(struct forward *forward)
{
	ssize_t n = write_some(forward, forward->in_data + forward->in_at, forward->in_size - forward->in_at);
	if (n < 0) return;
	forward->in_at += (size_t)n;
	if (forward->in_at < forward->in_size) return;
	drop_input(forward);
	set_blocked(forward, false);
	if (forward->closing.client) end_input(forward);
}

/* False: no memory. */
static bool keep_input(struct forward *forward, const uint8_t *data, size_t size)
{
	/* Frames that lay in one read with the one that was not taken come here too; then no more are read. */
	size_t kept = forward->in_size - forward->in_at;
	uint8_t *all = malloc(kept + size);
	if (!all) return false;
	if (kept) memcpy(all, forward->in_data + forward->in_at, kept);
	memcpy(all + kept, data, size);
	free(forward->in_data);
	forward->in_data = all;
	forward->in_at = 0;
	forward->in_size = kept + size;
	set_blocked(forward, true);
	return true;
}

static int take_data(struct forward *forward, struct bytes data)
{
	if (data.size == 0 || forward->broken) return 0;
	ssize_t taken = forward->in_data ? 0 : write_some(forward, data.data, data.size);
	if (taken < 0 || (size_t)taken == data.size) return 0;
	return keep_input(forward, data.data + taken, data.size - (size_t)taken) ? 0 : -ENOMEM;
}

int forward_take(struct forward *forward, const struct frame *frame)
{
	struct msg_stdin message;
	struct reader body = frame->body;
	int result = 0;
	if (!forward->connected || forward->closing.client) return -EPROTO;
	if (frame->type == MSG_CLOSE_STDIN) {
		forward->closing = (struct request){forward->client, frame->request_id};
		if (!forward->in_data && !forward->broken) end_input(forward);
	} else if (!msg_stdin_decode(&body, &message)) return -EPROTO;
	else result = take_data(forward, message.data);
	settle(forward);
	return result;
}

static void read_output(struct forward *forward)
{
	struct client *client = forward->client;
	uint8_t *buffer = client->shim->buffer;
	ssize_t n;
	if (!conn_has_room(&client->conn, CONN_READ_BYTES + 64)) {
		forward->paused = true;
		return;
	}
	client->shim->buffer_used = true;
	do n = read(forward->source.fd, buffer, CONN_READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) return;
	if (n < 0 && !forward->broken) forward->broken = errno;
	if (n > 0) {
		uint8_t head[8];
		struct writer writer = {head, 0, sizeof head, false};
		put_u32(&writer, STREAM_STDOUT);
		put_u32(&writer, (uint32_t)n);
		conn_send(&client->conn, MSG_OUTPUT, 0, (struct bytes){head, sizeof head}, (struct bytes){buffer, (uint32_t)n});
		client_sent(client);
		return;
	}
	forward->out_ended = true;
	if (!forward->broken) tell_closed(forward, 0);
}

void forward_resume(struct forward *forward)
{
	if (!forward->paused || !conn_has_room(&forward->client->conn, CONN_READ_BYTES + 64)) return;
	forward->paused = false;
	settle(forward);
}

static void established(struct forward *forward)
{
	const int yes = 1;
	forward->connected = true;
	close_at(&forward->other);
	setsockopt(forward->source.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	conn_send_ok(&forward->client->conn, forward->opening.id);
	client_sent(forward->client);
	settle(forward);
}

static void answer_refused(struct forward *forward)
{
	struct client *client = forward->client;
	refuse(client, forward->opening.id, forward->refused, "neither 127.0.0.1 nor ::1 answers at port %u", forward->port);
	client_sent(client);
	forward_close(forward);
}

static int connect_to_loopback(int fd, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int family = AF_INET;
	socklen_t size = sizeof family;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
	int result = family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof v4) : connect(fd, (struct sockaddr *)&v6, sizeof v6);
	return result < 0 ? -errno : 0;
}

/* Where nobody listens, the kernel may give the socket that very port, and connects it to itself (RFC 9293, 3.5). */
static bool is_connected_to_itself(int fd)
{
	struct sockaddr_storage here = {0}, there = {0};
	socklen_t here_size = sizeof here, there_size = sizeof there;
	return getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 &&
	       getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 && memcmp(&here, &there, sizeof here) == 0;
}

/* What became of the attempt; the next one is made when there is one. May free the forward. */
static void attempted(struct forward *forward, int err)
{
	struct loop *loop = &forward->client->shim->loop;
	for (;;) {
		if (err == 0 && is_connected_to_itself(forward->source.fd)) err = ECONNREFUSED;
		if (err == 0) {
			established(forward);
			return;
		}
		if (err == EINPROGRESS) {
			source_watch(loop, &forward->source, EPOLLOUT);
			return;
		}
		if (!forward->refused) forward->refused = err;
		source_close(loop, &forward->source);
		if (forward->other < 0) {
			answer_refused(forward);
			return;
		}
		forward->source.fd = take_fd(&forward->other);
		err = -connect_to_loopback(forward->source.fd, (uint16_t)forward->port);
	}
}

static int error_of(int fd)
{
	int err = 0;
	socklen_t size = sizeof err;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0 ? errno : err;
}

static void forward_ready(struct source *source, uint32_t events)
{
	struct forward *forward = CONTAINER_OF(source, struct forward, source);
	if (!forward->connected) {
		attempted(forward, error_of(source->fd));
		return;
	}
	if (forward->in_data && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) flush_input(forward);
	if (!forward->out_ended && !forward->paused && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_output(forward);
	settle(forward);
}

static struct forward *forward_new(struct client *client, const struct msg_forward *request, struct loopback_sockets sockets)
{
	struct forward *forward = calloc(1, sizeof *forward);
	char *container = strdup(request->id);
	if (!forward || !container) {
		free(forward);
		free(container);
		return NULL;
	}
	bool has_v4 = sockets.v4 >= 0;
	*forward = (struct forward){
		.client = client,
		.source = {.fd = has_v4 ? sockets.v4 : sockets.v6, .ready = forward_ready},
		.other = has_v4 ? sockets.v6 : -1,
		.container = container,
		.port = request->port,
	};
	client->forward = forward;
	return forward;
}

int forward_start(struct shim *shim, struct client *client, const struct frame *frame)
{
	struct msg_forward request;
	struct reader body = frame->body;
	struct failure failure = {0};
	struct loopback_sockets sockets;
	if (!msg_forward_decode(&body, &request)) return -EPROTO;
	if (client_has_streams(client)) return refuse(client, frame->request_id, EBUSY, "this connection has streams already");
	if (request.port == 0 || request.port > 65535) return refuse(client, frame->request_id, EINVAL, "there is no port %u", request.port);
	if (!container_find(shim, request.id)) return refuse(client, frame->request_id, ENOENT, "container %s is not here", request.id);
	int pidfd = container_pidfd(shim, request.id);
	if (pidfd < 0) return refuse(client, frame->request_id, ESRCH, "container %s does not run", request.id);
	if (sockets_in_namespace_of(pidfd, &sockets, &failure) < 0) return conn_send_failure(&client->conn, frame->request_id, &failure);
	struct forward *forward = forward_new(client, &request, sockets);
	if (!forward) {
		close_at(&sockets.v4);
		close_at(&sockets.v6);
		return refuse(client, frame->request_id, ENOMEM, "no memory for a connection");
	}
	forward->opening = (struct request){client, frame->request_id};
	attempted(forward, -connect_to_loopback(forward->source.fd, (uint16_t)request.port));
	return 0;
}

void forwards_end(struct shim *shim, const char *container)
{
	for (struct client *client = shim->clients; client; client = client->next) {
		struct forward *forward = client->forward;
		if (client->gone || !forward || strcmp(forward->container, container) != 0) continue;
		if (forward->connected) finish(forward, ESRCH);
		else {
			forward->refused = ESRCH;
			answer_refused(forward);
		}
	}
}
