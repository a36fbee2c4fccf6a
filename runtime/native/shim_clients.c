/* Connections: read, answered, closed; any number of them, none needed. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include "shim_state.h"

int refuse(struct client *client, uint32_t request_id, int err, const char *format, ...)
{
	char detail[400];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(detail, sizeof detail, format, arguments);
	va_end(arguments);
	return conn_send_error(&client->conn, request_id, err, NO_STEP, 0, detail);
}

void client_update(struct client *client)
{
	uint32_t events = (client->stdin_blocked ? 0 : EPOLLIN) | (conn_is_waiting(&client->conn) ? EPOLLOUT : 0);
	/* EPOLLRDHUP keeps a connection in the loop whose frames are not read: its end must be seen all the same. */
	if (!client->gone && !client->doomed) source_watch(&client->shim->loop, &client->source, events ? events : EPOLLRDHUP);
}

void client_close(struct client *client)
{
	if (client->gone) return;
	struct shim *shim = client->shim;
	client->gone = true;
	source_watch(&shim->loop, &client->source, 0);
	timer_clear(&shim->loop, &client->stall);
	if (client->process) process_detach(client->process, client);
	if (client->exec) exec_client_gone(shim, client->exec);
	client->exec = NULL;
	if (client->forward) forward_close(client->forward);
	/* What was asked for goes on; only nobody hears of it. */
	for (struct container *container = shim->containers; container; container = container->next) {
		if (container->waiting.client == client) container->waiting.client = NULL;
		if (container->delete_waiting.client == client) container->delete_waiting.client = NULL;
	}
}

void clients_sweep(struct shim *shim)
{
	for (struct client *client = shim->clients; client; client = client->next)
		if (client->doomed) client_close(client);
	for (struct client **at = &shim->clients; *at;) {
		struct client *client = *at;
		if (!client->gone) {
			at = &client->next;
			continue;
		}
		*at = client->next;
		conn_close(&client->conn);
		if (client->turned_away) listen_again(shim);
		free(client);
	}
}

void client_sent(struct client *client)
{
	if (client->conn.broken || (client->closing && !conn_is_waiting(&client->conn))) client->doomed = true;
	client_update(client);
}

void client_finish(struct client *client)
{
	client->closing = true;
	client_sent(client);
}

static int list(struct shim *shim, struct client *client, uint32_t request_id)
{
	size_t room = 64;
	for (struct container *container = shim->containers; container; container = container->next) room += strlen(container->id) + 72;
	struct writer writer = {malloc(room), 0, room, false};
	struct msg_listed listed = {0};
	if (!writer.data) return refuse(client, request_id, ENOMEM, "no memory for the list");
	for (struct container *container = shim->containers; container; container = container->next) {
		if (container->phase == CREATING || container->task.pid == 0) continue;
		bool stopped = container->phase == STOPPED;
		struct container_state state = {
			.id = container->id,
			.pid = (uint32_t)container->task.pid,
			.start_time = container->start_time,
			.state = container_state(container),
			.exit_code = stopped ? exit_code_of(container->task.status) : 0,
			.signal = stopped ? (uint32_t)signal_of(container->task.status) : 0,
			.started_at_ns = container->phase == STARTING ? 0 : container->started_at_ns,
			.exited_at_ns = container->task.exited_at_ns,
		};
		container_state_encode(&writer, &state);
		listed.containers.count++;
	}
	listed.containers.items = (struct reader){writer.data, writer.data + writer.size, false};
	int result = CONN_SEND(&client->conn, request_id, LISTED, listed, writer.size + 64, &listed);
	free(writer.data);
	return result;
}

static int reopen_log(struct shim *shim, struct client *client, const struct frame *frame)
{
	struct msg_reopen_log request;
	struct reader body = frame->body;
	struct failure failure = {0};
	if (!msg_reopen_log_decode(&body, &request)) return -EPROTO;
	struct container *container = container_find(shim, request.id);
	if (!container) return refuse(client, frame->request_id, ENOENT, "container %s is not here", request.id);
	if (log_reopen(&container->task.process.log, request.log_path, &failure) < 0) return conn_send_failure(&client->conn, frame->request_id, &failure);
	return conn_send_ok(&client->conn, frame->request_id);
}

static int resize(struct shim *shim, struct client *client, const struct frame *frame)
{
	struct msg_resize request;
	struct reader body = frame->body;
	if (!msg_resize_decode(&body, &request)) return -EPROTO;
	struct container *container = client->process ? NULL : container_find(shim, request.id);
	struct process *process = client->process ? client->process : container ? &container->task.process : NULL;
	if (!process) return refuse(client, frame->request_id, ENOENT, "container %s is not here", request.id);
	int result = process_resize(process, request.columns, request.rows);
	if (result < 0) return refuse(client, frame->request_id, -result, "it has no terminal");
	return conn_send_ok(&client->conn, frame->request_id);
}

static int attach(struct shim *shim, struct client *client, const struct frame *frame)
{
	struct msg_attach request;
	struct reader body = frame->body;
	if (!msg_attach_decode(&body, &request)) return -EPROTO;
	if (client_has_streams(client)) return refuse(client, frame->request_id, EBUSY, "this connection has streams already");
	struct container *container = container_find(shim, request.id);
	if (!container) return refuse(client, frame->request_id, ENOENT, "container %s is not here", request.id);
	if (container->phase != CREATED && container->phase != STARTING && container->phase != RUNNING)
		return refuse(client, frame->request_id, ESRCH, "container %s does not run", request.id);
	struct process *process = &container->task.process;
	if (request.stdin && !process->has_stdin) return refuse(client, frame->request_id, EINVAL, "container %s was made without stdin", request.id);
	if (request.stdin && process->in.fd < 0) return refuse(client, frame->request_id, EPIPE, "the stdin of container %s is closed", request.id);
	client->wants_stdin = request.stdin;
	client->wants_stdout = request.stdout;
	client->wants_stderr = request.stderr && !process->terminal;
	process_attach(process, client);
	return conn_send_ok(&client->conn, frame->request_id);
}

static int take_stdin(struct client *client, const struct frame *frame)
{
	struct msg_stdin message;
	struct reader body = frame->body;
	if (client->forward) return forward_take(client->forward, frame);
	if (!client->process || !client->wants_stdin) return 0; /* it has ended meanwhile, or none was asked for */
	if (frame->type == MSG_CLOSE_STDIN) {
		process_close_stdin(client->process);
		return 0;
	}
	if (!msg_stdin_decode(&body, &message)) return -EPROTO;
	process_stdin(client->process, client, message.data);
	return 0;
}

static int shutdown_shim(struct shim *shim, struct client *client, uint32_t request_id)
{
	if (shim->containers) return refuse(client, request_id, EBUSY, "the shim has containers, %s for one", shim->containers->id);
	shim->stopping = true;
	return conn_send_ok(&client->conn, request_id);
}

static int dispatch(struct shim *shim, struct client *client, const struct frame *frame)
{
	switch (frame->type) {
	case MSG_CREATE: return container_create(shim, client, frame);
	case MSG_START: return container_start(shim, client, frame);
	case MSG_KILL: return container_kill(shim, client, frame);
	case MSG_DELETE: return container_delete(shim, client, frame);
	case MSG_SUBSCRIBE: client->subscribed = true; return list(shim, client, frame->request_id);
	case MSG_LIST: return list(shim, client, frame->request_id);
	case MSG_REOPEN_LOG: return reopen_log(shim, client, frame);
	case MSG_RESIZE: return resize(shim, client, frame);
	case MSG_SHUTDOWN: return shutdown_shim(shim, client, frame->request_id);
	case MSG_EXEC: return exec_start(shim, client, frame);
	case MSG_ATTACH: return attach(shim, client, frame);
	case MSG_FORWARD: return forward_start(shim, client, frame);
	case MSG_STDIN:
	case MSG_CLOSE_STDIN: return take_stdin(client, frame);
	default: return refuse(client, frame->request_id, EOPNOTSUPP, "a shim does not know message %u", frame->type);
	}
}

static int on_frame(void *context, struct conn *conn, const struct frame *frame)
{
	struct client *client = context;
	if (client->turned_away) {
		refuse(client, frame->request_id, EMFILE, "the shim has no descriptors left");
		client_finish(client);
		return -ECONNABORTED;
	}
	int result = conn_greet(conn, frame, client->shim->sandbox_id);
	if (result == 0) result = dispatch(client->shim, client, frame);
	if (client->gone) return -ECONNABORTED;
	return result < 0 ? result : 0;
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *client = CONTAINER_OF(source, struct client, source);
	struct shim *shim = client->shim;
	if (events & EPOLLOUT) {
		shim->buffer_used = true; /* its own are given back with it */
		conn_flush(&client->conn);
		if (client->process) process_resume(client->process);
		if (client->forward) forward_resume(client->forward);
	}
	if (events & EPOLLIN && !client->stdin_blocked && !client->conn.broken) {
		shim->buffer_used = true;
		if (conn_receive(&client->conn, shim->buffer, on_frame, client) < 0) client_close(client);
	} else if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
		client_close(client);
	}
	client_sent(client);
}

bool client_add(struct shim *shim, int fd, bool turned_away)
{
	struct client *client = calloc(1, sizeof *client);
	if (!client) return false;
	client->shim = shim;
	client->turned_away = turned_away;
	conn_init(&client->conn, fd);
	client->conn.keeps = true;
	client->source = (struct source){.fd = fd, .ready = client_ready};
	client->next = shim->clients;
	shim->clients = client;
	client_update(client);
	return true;
}
