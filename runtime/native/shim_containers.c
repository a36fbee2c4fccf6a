/* CREATE, START, KILL and the life of a container. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include "shim_state.h"

struct container *container_find(const struct shim *shim, const char *id)
{
	for (struct container *container = shim->containers; container; container = container->next)
		if (strcmp(container->id, id) == 0) return container;
	return NULL;
}

int container_pidfd(const void *context, const char *id)
{
	const struct shim *shim = context;
	const struct container *container = container_find(shim, id);
	return container && container->phase != CREATING && container->phase != STOPPED ? container->task.pidfd : -1;
}

uint32_t container_state(const struct container *container)
{
	switch (container->phase) {
	case CREATING:
	case CREATED:
	case STARTING: return STATE_CREATED;
	case RUNNING: return STATE_RUNNING;
	default: return STATE_STOPPED;
	}
}

static bool next_op(struct reader *ops, struct op *op) { return ops->at < ops->end && op_decode(ops, op); }

/* Where its processes can be found later: the first is the one to kill them through. */
static void remember_cgroup(struct container *container, const struct op *op)
{
	struct op_spawn spawn;
	struct cgroup cgroup;
	struct reader arguments = {op->args.data, op->args.data + op->args.size, false};
	if (container->cgroup || !op_spawn_decode(&arguments, &spawn) || spawn.cgroups.count == 0) return;
	if (!cgroup_decode(&spawn.cgroups.items, &cgroup)) return;
	container->cgroup = strdup(cgroup.path);
	container->cgroup_v2 = cgroup.v2;
}

static void remember_poststart(struct container *container, const struct op *op)
{
	struct op_hooks hooks;
	struct reader arguments = {op->args.data, op->args.data + op->args.size, false};
	if (!op_hooks_decode(&arguments, &hooks) || hooks.phase != HOOK_POSTSTART || container->poststart.data) return;
	uint8_t *copy = malloc(op->args.size);
	if (copy) container->poststart = (struct bytes){memcpy(copy, op->args.data, op->args.size), op->args.size};
}

/* The plan itself is not kept: only what is needed after CREATE. */
static void remember(struct container *container, const struct list *plan)
{
	struct reader ops = plan->items;
	for (struct op op; next_op(&ops, &op);) {
		if (op.code == OP_WAIT_START) container->waits_for_start = true;
		if (op.code == OP_SPAWN) remember_cgroup(container, &op);
		if (op.code == OP_HOOKS) remember_poststart(container, &op);
		if (op.code == OP_RESTORE) remember_restore(container, &op);
	}
}

static void output_ended(struct process *process) { (void)process; }

static struct container *container_new(struct shim *shim, const struct msg_create *request)
{
	struct container *container = calloc(1, sizeof *container);
	if (!container) return NULL;
	process_init(&container->task.process, shim);
	container->task.process.output_ended = output_ended;
	container->task.process.stdin_once = request->stdin_once;
	container->task.leash.fd = container->task.pidfd = -1;
	container->id = strdup(request->id);
	container->folder = strdup(request->folder);
	struct container **end = &shim->containers;
	while (*end) end = &(*end)->next;
	*end = container;
	return container;
}

void container_free(struct shim *shim, struct container *container)
{
	for (struct container **at = &shim->containers; *at; at = &(*at)->next)
		if (*at == container) {
			*at = container->next;
			break;
		}
	task_close(&container->task);
	report_free(container->worker_report);
	free((void *)(uintptr_t)container->poststart.data);
	free(container->pid_file);
	free(container->cgroup);
	free(container->folder);
	free(container->id);
	free(container);
}

static void leash_ready(struct source *source, uint32_t events)
{
	(void)events;
	struct container *container = CONTAINER_OF(source, struct container, task.leash);
	struct shim *shim = container->task.process.shim;
	task_read_leash(&container->task);
	process_listen(&container->task.process); /* a terminal may have come only now */
	if (container->task.leash_closed) source_watch(&shim->loop, source, 0);
	container_advance(shim, container);
}

int container_create(struct shim *shim, struct client *client, const struct frame *frame)
{
	struct msg_create request;
	struct reader body = frame->body;
	struct failure failure = {0};
	struct plan_streams theirs;
	if (!msg_create_decode(&body, &request)) return -EPROTO;
	if (*request.id == 0) return refuse(client, frame->request_id, EINVAL, "a container needs an id");
	if (container_find(shim, request.id)) return refuse(client, frame->request_id, EEXIST, "container %s is here already", request.id);
	struct container *container = container_new(shim, &request);
	if (!container || !container->id || !container->folder) {
		if (container) container_free(shim, container);
		return refuse(client, frame->request_id, ENOMEM, "no memory for container %s", request.id);
	}
	remember(container, &request.plan);
	struct task *task = &container->task;
	int result = 0;
	if (request.terminal) theirs = (struct plan_streams){-1, -1, -1};
	else result = process_open(&task->process, request.stdin, &theirs, &failure);
	task->leash.ready = leash_ready;
	if (result == 0) result = task_start(shim, task, &request.plan, theirs, &failure);
	if (result < 0) {
		container_free(shim, container);
		return conn_send_failure(&client->conn, frame->request_id, &failure);
	}
	/* A disk may take its time for a new file: the creator is at work meanwhile. */
	if (log_open(&task->process.log, request.log_path, request.log_line_max, &failure) < 0) {
		report_failure(task->report, NO_STEP, 0, &failure);
		kill(task->creator, SIGKILL);
	}
	container->waiting = (struct request){client, frame->request_id};
	return 0;
}

static void send_report_error(const struct request *request, const struct shared_report *report)
{
	if (!request->client) return;
	conn_send_error(&request->client->conn, request->id, report->failure.err, report->step, report->op, report->failure.detail);
	client_sent(request->client);
}

static void answer_error(struct container *container)
{
	struct shared_report *report = container->task.report;
	struct failure failure = {0};
	if (!report->failed) {
		fail(&failure, ECHILD, "the process was killed before its program was executed");
		report_failure(report, NO_STEP, 0, &failure);
	}
	send_report_error(&container->waiting, report);
	container->waiting.client = NULL;
}

static void answer_created(struct container *container)
{
	struct client *client = container->waiting.client;
	struct shared_report *report = container->task.report;
	struct msg_created created = {.pid = (uint32_t)container->task.pid, .start_time = container->start_time};
	created.timings = report_encode_timings(report, 0);
	size_t room = report_timings_size(report, 0);
	container->timings_told = report->timing_count;
	container->waiting.client = NULL;
	if (client) {
		CONN_SEND(&client->conn, container->waiting.id, CREATED, created, room, &created);
		client_sent(client);
	}
	free((void *)(uintptr_t)created.timings.items.at);
}

static void answer_started(struct container *container)
{
	struct client *client = container->waiting.client;
	struct shared_report *report = container->task.report;
	const char *hook_error = container->worker_report ? container->worker_report->hook_error : "";
	struct msg_started started = {.started_at_ns = container->started_at_ns, .hook_error = hook_error};
	started.timings = report_encode_timings(report, container->timings_told);
	size_t room = report_timings_size(report, container->timings_told) + strlen(hook_error);
	container->waiting.client = NULL;
	if (client) {
		CONN_SEND(&client->conn, container->waiting.id, STARTED, started, room, &started);
		client_sent(client);
	}
	free((void *)(uintptr_t)started.timings.items.at);
	report_free(container->worker_report);
	container->worker_report = NULL;
}

/* The report is not needed any more once START is answered. */
static void drop_report(struct container *container)
{
	report_free(container->task.report);
	container->task.report = NULL;
	source_close(&container->task.process.shim->loop, &container->task.leash);
}

/* False: there is nothing more to do for it now; it may be gone. */
static bool advance_creating(struct shim *shim, struct container *container)
{
	struct task *task = &container->task;
	if (task->creator) return false;
	bool created = task_created(task);
	if (created && container->pid_file) {
		if (!task->reaped) return false;
		created = restore_adopt(container);
	}
	if (created) {
		container->start_time = start_time_of(task->pid);
		container->phase = container->waits_for_start || container->pid_file ? CREATED : RUNNING;
		process_listen(&task->process);
		answer_created(container);
		if (container->phase == RUNNING) drop_report(container);
		return true;
	}
	/* A creator that was killed left its hook behind. */
	if (task->report->hook_group > 0) kill(-task->report->hook_group, SIGKILL);
	task->report->hook_group = 0;
	/* What CRIU had made already is stopped, and has no other parent. */
	if (container->pid_file && container->cgroup) kill_all(container, SIGKILL);
	/* Nobody is told before the last process of it is gone. */
	if (task->pid > 0 && !task->reaped) {
		kill(task->pid, SIGKILL);
		return false;
	}
	answer_error(container);
	container_free(shim, container);
	return false;
}

static void start_poststart(struct container *container)
{
	container->worker_report = report_new();
	container->worker = container->worker_report ? fork_worker(-1) : -ENOMEM;
	if (container->worker == 0) _exit(plan_run_poststart(&container->poststart, container->worker_report, container->task.pid) < 0);
	if (container->worker < 0) {
		if (container->worker_report) snprintf(container->worker_report->hook_error, sizeof container->worker_report->hook_error, "the poststart hooks could not be run");
		container->worker = 0;
	}
	free((void *)(uintptr_t)container->poststart.data);
	container->poststart = NO_BYTES;
}

static void advance_starting(struct shim *shim, struct container *container)
{
	struct task *task = &container->task;
	if (!task->leash_closed || container->worker) return;
	if (task->report->failed || !task->report->executing) {
		if (!task->reaped) return;
		container->started_at_ns = 0;
		container_tell_exit(shim, container);
		answer_error(container);
		drop_report(container);
		return;
	}
	if (container->poststart.data) {
		start_poststart(container);
		if (container->worker) return;
	}
	container->phase = RUNNING;
	answer_started(container);
	drop_report(container);
}

void container_tell_exit(struct shim *shim, struct container *container)
{
	struct task *task = &container->task;
	if (container->exit_told) return;
	container->exit_told = true;
	container->phase = STOPPED;
	process_drain(&task->process);
	write_exit_record(container); /* a full disk must not hide the exit */
	struct msg_exited exited = {
		.id = container->id,
		.pid = (uint32_t)task->pid,
		.exit_code = exit_code_of(task->status),
		.signal = (uint32_t)signal_of(task->status),
		.exited_at_ns = task->exited_at_ns,
	};
	size_t room = strlen(container->id) + 64;
	for (struct client *client = shim->clients; client; client = client->next) {
		bool attached = client->process == &task->process;
		if (client->gone || (!client->subscribed && !attached)) continue;
		CONN_SEND(&client->conn, 0, EXITED, exited, room, &exited);
		if (attached) client_finish(client);
		else client_sent(client);
	}
	forwards_end(shim, container->id);
}

/* From what was seen so far to where that leads. May free the container. */
void container_advance(struct shim *shim, struct container *container)
{
	if (container->phase == CREATING && !advance_creating(shim, container)) return;
	if (container->phase == STARTING) advance_starting(shim, container);
	if (container->phase != STARTING && container->task.reaped) container_tell_exit(shim, container);
	if (container->deleting) delete_advance(shim, container);
}

static int start_restored(struct container *container, struct client *client, uint32_t request_id)
{
	container->started_at_ns = realtime_ns();
	int result = kill_all(container, SIGCONT);
	if (result < 0) return refuse(client, request_id, -result, "cannot continue the restored processes of container %s", container->id);
	container->phase = RUNNING;
	container->waiting = (struct request){client, request_id};
	answer_started(container);
	drop_report(container);
	return 0;
}

int container_start(struct shim *shim, struct client *client, const struct frame *frame)
{
	struct msg_start request;
	struct reader body = frame->body;
	if (!msg_start_decode(&body, &request)) return -EPROTO;
	struct container *container = container_find(shim, request.id);
	if (!container) return refuse(client, frame->request_id, ENOENT, "container %s is not here", request.id);
	if (container->phase == CREATING || container->phase == STARTING || container->deleting)
		return refuse(client, frame->request_id, EBUSY, "container %s is being %s", request.id,
			      container->deleting ? "deleted" : container->phase == CREATING ? "created" : "started");
	if (container->phase != CREATED) return refuse(client, frame->request_id, EINVAL, "container %s %s already", request.id, container->phase == RUNNING ? "runs" : "has stopped");
	if (container->pid_file) return start_restored(container, client, frame->request_id);
	char go = LEASH_GO;
	container->started_at_ns = realtime_ns();
	if (send_fd(container->task.leash.fd, &go, 1, -1) < 0)
		return refuse(client, frame->request_id, ECHILD, "the process of container %s was killed before its start", request.id);
	container->phase = STARTING;
	container->waiting = (struct request){client, frame->request_id};
	task_watch_leash(shim, &container->task);
	return 0;
}

int container_kill(struct shim *shim, struct client *client, const struct frame *frame)
{
	struct msg_kill request;
	struct reader body = frame->body;
	if (!msg_kill_decode(&body, &request)) return -EPROTO;
	struct container *container = container_find(shim, request.id);
	if (!container) return refuse(client, frame->request_id, ENOENT, "container %s is not here", request.id);
	/* Killing the creator (and so the hook that it waits for) ends CREATE with an error: its caller has given up. */
	if (container->phase == CREATING && request.signal == SIGKILL && container->task.creator && kill(container->task.creator, SIGKILL) == 0)
		return conn_send_ok(&client->conn, frame->request_id);
	if (container->phase == CREATING && request.signal == SIGKILL && container->pid_file && kill_all(container, SIGKILL) == 0)
		return conn_send_ok(&client->conn, frame->request_id);
	if (container->phase == CREATING) return refuse(client, frame->request_id, EBUSY, "container %s is being created", request.id);
	if (request.signal > 64) return refuse(client, frame->request_id, EINVAL, "there is no signal %u", request.signal);
	/* Restored and not started it is stopped: until it is continued it would hear of nothing else. */
	if (container->phase == CREATED && container->pid_file && request.signal > 0) request.signal = SIGKILL;
	/* Not reaped yet, so the number is still its own. */
	if (!container->task.reaped && kill(container->task.pid, (int)request.signal) < 0 && errno != ESRCH)
		return refuse(client, frame->request_id, errno, "cannot send signal %u to container %s", request.signal, request.id);
	if (request.all && container->cgroup) {
		int result = kill_all(container, (int)request.signal);
		if (result < 0) return refuse(client, frame->request_id, -result, "cannot send signal %u to all of container %s", request.signal, request.id);
	}
	return conn_send_ok(&client->conn, frame->request_id);
}
