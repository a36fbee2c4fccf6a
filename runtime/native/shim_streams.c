/* Standard streams: output to the log and to those attached, input from them.
 *
 *   process ──pipe──> read(64 KiB) ──> log (one writev)
 *                                 └──> OUTPUT frames to every attached client (at most CONN_OUT_STREAM queued)
 *
 * A pipe is read only when every client that wants it has room: a slow one slows the process, not our memory. An
 * attached client that takes nothing at all for STALL_NS is closed, so that it cannot hold the log up for ever.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include "shim_state.h"

#define PIPE_BYTES (1024 * 1024)
#define STALL_NS 10000000000u
#define LOST_NS 2000000000u
/* What a process that has ended may have left: a full pipe and a bit. Slow readers get it too, queued. */
#define DRAIN_READS (2 * PIPE_BYTES / CONN_READ_BYTES)

static void output_ready(struct source *source, uint32_t events);
static void input_ready(struct source *source, uint32_t events);

static void output_init(struct output *output, struct process *process, uint32_t stream, const char *name)
{
	*output = (struct output){.source = {.fd = -1, .ready = output_ready}, .process = process, .stream = stream, .log = {.name = name}};
}

void process_init(struct process *process, struct shim *shim)
{
	*process = (struct process){.shim = shim, .in = {.fd = -1, .ready = input_ready}, .log = {.fd = -1}};
	output_init(&process->out, process, STREAM_STDOUT, "stdout");
	output_init(&process->err, process, STREAM_STDERR, "stderr");
}

static int open_pipe(int ends[2], struct failure *failure)
{
	if (pipe2(ends, O_CLOEXEC) < 0) return fail(failure, errno, "cannot make a pipe");
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* when the node allows it */
	return 0;
}

int process_open(struct process *process, bool with_stdin, struct plan_streams *theirs, struct failure *failure)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
	*theirs = (struct plan_streams){-1, -1, -1};
	int result = with_stdin && pipe2(in, O_CLOEXEC) < 0 ? fail(failure, errno, "cannot make a pipe") : 0;
	if (result == 0) result = open_pipe(out, failure);
	if (result == 0) result = open_pipe(err, failure);
	if (result < 0) {
		for (int i = 0; i < 2; i++) {
			close_at(&in[i]);
			close_at(&out[i]);
			close_at(&err[i]);
		}
		return result;
	}
	*theirs = (struct plan_streams){in[0], out[1], err[1]};
	if (with_stdin) set_nonblocking(in[1]);
	set_nonblocking(out[0]);
	set_nonblocking(err[0]);
	process->in.fd = in[1];
	process->out.source.fd = out[0];
	process->err.source.fd = err[0];
	process->has_stdin = with_stdin;
	return 0;
}

int process_set_terminal(struct process *process, int master)
{
	source_close(&process->shim->loop, &process->out.source);
	source_close(&process->shim->loop, &process->in);
	set_nonblocking(master);
	process->out.source.fd = master;
	process->in.fd = fcntl(master, F_DUPFD_CLOEXEC, 3); /* of its own, for epoll knows a descriptor once */
	process->terminal = process->has_stdin = true;
	return process->in.fd < 0 ? -errno : 0;
}

void process_listen(struct process *process)
{
	source_watch(&process->shim->loop, &process->out.source, EPOLLIN);
	source_watch(&process->shim->loop, &process->err.source, EPOLLIN);
}

bool process_is_quiet(const struct process *process)
{
	return process->out.source.fd < 0 && process->err.source.fd < 0;
}

static bool wants(const struct client *client, const struct output *output)
{
	return output->stream == STREAM_STDOUT ? client->wants_stdout : client->wants_stderr;
}

static void stalled(struct timer *timer)
{
	struct client *client = CONTAINER_OF(timer, struct client, stall);
	if (client->conn.out_total == client->stall_total) client_close(client);
	else {
		client->stall_total = client->conn.out_total;
		timer_set(&client->shim->loop, timer, monotonic_ns() + STALL_NS, stalled);
	}
}

/* Whether every reader of it has room; starts the clock for those that have none. */
static bool readers_have_room(struct output *output)
{
	bool room = true;
	for (struct client *client = output->process->attached; client; client = client->next_attached) {
		if (!wants(client, output) || conn_has_room(&client->conn, CONN_READ_BYTES + 64)) continue;
		room = false;
		/* An exec has one reader, whose process may wait for it as long as it likes. */
		if (client->exec || client->stall.at) continue;
		client->stall_total = client->conn.out_total;
		timer_set(&client->shim->loop, &client->stall, monotonic_ns() + STALL_NS, stalled);
	}
	return room;
}

static void send_output(struct output *output, const uint8_t *data, size_t size)
{
	uint8_t head[8];
	struct writer writer = {head, 0, sizeof head, false};
	put_u32(&writer, output->stream);
	put_u32(&writer, (uint32_t)size);
	for (struct client *client = output->process->attached, *next; client; client = next) {
		next = client->next_attached;
		if (!wants(client, output)) continue;
		conn_send(&client->conn, MSG_OUTPUT, 0, (struct bytes){head, sizeof head}, (struct bytes){data, (uint32_t)size});
		client_sent(client);
	}
}

/* A process that says no more, or has ended, must not keep it a secret that some of what it said was lost. */
static void tell_lost(struct timer *timer)
{
	struct process *process = CONTAINER_OF(timer, struct process, lost);
	if (!log_tell_lost(&process->log)) timer_set(&process->shim->loop, timer, monotonic_ns() + LOST_NS, tell_lost);
}

static void watch_lost(struct process *process)
{
	if (process->log.lost && !process->lost.at) timer_set(&process->shim->loop, &process->lost, monotonic_ns() + LOST_NS, tell_lost);
}

static void output_close(struct output *output)
{
	source_close(&output->process->shim->loop, &output->source);
	log_finish(&output->process->log, &output->log);
	watch_lost(output->process);
}

/* 1: read something, 0: nothing there now, -1: it has ended. */
static int read_output(struct output *output)
{
	struct shim *shim = output->process->shim;
	ssize_t n;
	shim->buffer_used = true;
	do n = read(output->source.fd, shim->buffer, CONN_READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) return 0;
	if (n <= 0) { /* EIO: the last process has closed the terminal */
		output_close(output);
		return -1;
	}
	log_append(&output->process->log, &output->log, shim->buffer, (size_t)n);
	watch_lost(output->process);
	send_output(output, shim->buffer, (size_t)n);
	return 1;
}

static void output_ready(struct source *source, uint32_t events)
{
	(void)events;
	struct output *output = CONTAINER_OF(source, struct output, source);
	if (!readers_have_room(output)) {
		output->paused = true;
		source_watch(&output->process->shim->loop, source, 0);
		return;
	}
	if (read_output(output) < 0 && output->process->output_ended) output->process->output_ended(output->process);
}

static void drain_output(struct output *output)
{
	for (unsigned int i = 0; i < DRAIN_READS && output->source.fd >= 0; i++)
		if (read_output(output) <= 0) return;
}

void process_drain(struct process *process)
{
	drain_output(&process->out);
	drain_output(&process->err);
}

static void resume_output(struct output *output)
{
	if (!output->paused || !readers_have_room(output)) return;
	output->paused = false;
	source_watch(&output->process->shim->loop, &output->source, EPOLLIN);
}

void process_resume(struct process *process)
{
	resume_output(&process->out);
	resume_output(&process->err);
}

void process_attach(struct process *process, struct client *client)
{
	client->process = process;
	client->next_attached = process->attached;
	process->attached = client;
}

void process_detach(struct process *process, struct client *client)
{
	for (struct client **at = &process->attached; *at; at = &(*at)->next_attached)
		if (*at == client) {
			*at = client->next_attached;
			break;
		}
	client->process = NULL;
	timer_clear(&client->shim->loop, &client->stall);
	if (process->stdin_once && client->wants_stdin) process_close_stdin(process);
	process_resume(process);
}

static void unblock_writers(struct process *process)
{
	for (struct client *client = process->attached; client; client = client->next_attached)
		if (client->stdin_blocked) {
			client->stdin_blocked = false;
			client_update(client);
		}
}

static void drop_input(struct process *process)
{
	free(process->in_data);
	process->in_data = NULL;
	process->in_at = process->in_size = 0;
}

/* As much as the process takes; answers how much, or -1 when it has closed its stdin. */
static ssize_t write_input(struct process *process, const uint8_t *data, size_t size)
{
	size_t at = 0;
	while (at < size) {
		ssize_t n = write(process->in.fd, data + at, size - at);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) break;
		if (n < 0) return -1;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

/* Writes what is kept. When the process has closed its stdin the rest is dropped, as a shell's pipe would. */
static void flush_input(struct process *process)
{
	struct loop *loop = &process->shim->loop;
	ssize_t n = write_input(process, process->in_data + process->in_at, process->in_size - process->in_at);
	if (n < 0) process->in_close = true;
	else process->in_at += (size_t)n;
	if (n >= 0 && process->in_at < process->in_size) {
		source_watch(loop, &process->in, EPOLLOUT);
		return;
	}
	drop_input(process);
	source_watch(loop, &process->in, 0);
	if (process->in_close) source_close(loop, &process->in);
	unblock_writers(process);
}

static void input_ready(struct source *source, uint32_t events)
{
	(void)events;
	flush_input(CONTAINER_OF(source, struct process, in));
}

/* False: no memory. */
static bool keep_input(struct process *process, const uint8_t *data, size_t size)
{
	size_t kept = process->in_size - process->in_at;
	uint8_t *all = malloc(kept + size);
	if (!all) return false;
	if (kept) memcpy(all, process->in_data + process->in_at, kept);
	memcpy(all + kept, data, size);
	free(process->in_data);
	process->in_data = all;
	process->in_at = 0;
	process->in_size = kept + size;
	source_watch(&process->shim->loop, &process->in, EPOLLOUT);
	return true;
}

void process_stdin(struct process *process, struct client *client, struct bytes data)
{
	if (process->in.fd < 0 || process->in_close || data.size == 0) return;
	/* A reader of one connection stops at the first frame that is not taken; others may add theirs once. */
	ssize_t taken = process->in_data ? 0 : write_input(process, data.data, data.size);
	if (taken < 0) {
		source_close(&process->shim->loop, &process->in);
		return;
	}
	if ((size_t)taken == data.size) return;
	if (!keep_input(process, data.data + taken, data.size - (size_t)taken)) {
		client_close(client);
		return;
	}
	client->stdin_blocked = true;
	client_update(client);
}

void process_close_stdin(struct process *process)
{
	if (process->terminal || process->in.fd < 0) return; /* a terminal's end is typed, not closed */
	process->in_close = true;
	if (!process->in_data) source_close(&process->shim->loop, &process->in);
}

int process_resize(struct process *process, uint32_t columns, uint32_t rows)
{
	struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
	if (!process->terminal || process->out.source.fd < 0) return -ENOTTY;
	return ioctl(process->out.source.fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

void process_close(struct process *process)
{
	while (process->attached) process_detach(process, process->attached);
	output_close(&process->out);
	output_close(&process->err);
	source_close(&process->shim->loop, &process->in);
	drop_input(process);
	timer_clear(&process->shim->loop, &process->lost);
	log_tell_lost(&process->log);
	log_close(&process->log);
}
