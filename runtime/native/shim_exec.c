/* EXEC: a process beside a container, whose streams are the connection's. */
#include <errno.h>
#include <signal.h>
#include "shim_state.h"

static void exec_free(struct shim *shim, struct exec *exec)
{
	for (struct exec **at = &shim->execs; *at; at = &(*at)->next)
		if (*at == exec) {
			*at = exec->next;
			break;
		}
	timer_clear(&shim->loop, &exec->timeout);
	timer_clear(&shim->loop, &exec->drain);
	if (exec->client) {
		exec->client->exec = NULL;
		if (exec->client->process) process_detach(&exec->task.process, exec->client);
	}
	task_close(&exec->task);
	free(exec->cgroup);
	free(exec->id);
	free(exec);
}

static void exec_kill(struct exec *exec)
{
	struct task *task = &exec->task;
	pid_t init = task->pid ? task->pid : task->report ? task->report->init_pid : 0;
	/* The creator may wait for a process that was frozen as it joined the cgroup. */
	if (task->creator) kill(task->creator, SIGKILL);
	if (init > 0 && !task->reaped) kill_tree(exec->cgroup, init);
}

static void timed_out(struct timer *timer)
{
	struct exec *exec = CONTAINER_OF(timer, struct exec, timeout);
	exec->timed_out = true;
	exec_kill(exec);
}

static void drained(struct timer *timer)
{
	struct exec *exec = CONTAINER_OF(timer, struct exec, drain);
	exec->drained = true;
	exec_advance(exec->task.process.shim, exec);
}

static void output_ended(struct process *process)
{
	exec_advance(process->shim, CONTAINER_OF(process, struct exec, task.process));
}

static struct exec *exec_new(struct shim *shim, const struct msg_exec *request, const struct container *container)
{
	struct exec *exec = calloc(1, sizeof *exec);
	if (!exec) return NULL;
	process_init(&exec->task.process, shim);
	exec->task.process.output_ended = output_ended;
	exec->task.leash.fd = exec->task.pidfd = -1;
	exec->id = strdup(request->exec_id);
	exec->cgroup = container->cgroup ? strdup(container->cgroup) : NULL;
	exec->flags = request->flags;
	exec->drain_ms = request->drain_ms;
	exec->timeout_ns = (uint64_t)request->timeout_ms * 1000000u;
	exec->next = shim->execs;
	shim->execs = exec;
	return exec;
}

int exec_start(struct shim *shim, struct client *client, const struct frame *frame)
{
	struct msg_exec request;
	struct reader body = frame->body;
	struct failure failure = {0};
	struct plan_streams theirs = {-1, -1, -1};
	if (!msg_exec_decode(&body, &request)) return -EPROTO;
	if (client_has_streams(client)) return refuse(client, frame->request_id, EBUSY, "this connection has streams already");
	struct container *container = container_find(shim, request.id);
	if (!container) return refuse(client, frame->request_id, ENOENT, "container %s is not here", request.id);
	if (container->deleting || (container->phase != CREATED && container->phase != STARTING && container->phase != RUNNING))
		return refuse(client, frame->request_id, ESRCH, "container %s does not run", request.id);
	struct exec *exec = exec_new(shim, &request, container);
	if (!exec || !exec->id) {
		if (exec) exec_free(shim, exec);
		return refuse(client, frame->request_id, ENOMEM, "no memory for an exec in %s", request.id);
	}
	bool terminal = request.flags & EXEC_TERMINAL;
	int result = terminal ? 0 : process_open(&exec->task.process, request.flags & EXEC_STDIN, &theirs, &failure);
	if (result == 0) result = task_start(shim, &exec->task, &request.plan, theirs, &failure);
	if (result < 0) {
		exec_free(shim, exec);
		return conn_send_failure(&client->conn, frame->request_id, &failure);
	}
	exec->client = client;
	exec->request_id = frame->request_id;
	client->exec = exec;
	/* The time that making it takes counts too. */
	if (exec->timeout_ns) timer_set(&shim->loop, &exec->timeout, monotonic_ns() + exec->timeout_ns, timed_out);
	return 0;
}

static void answer_failed(struct exec *exec)
{
	struct shared_report *report = exec->task.report;
	struct failure failure = {0};
	if (!exec->client) return;
	if (!report->failed) {
		fail(&failure, exec->timed_out ? ETIMEDOUT : ECHILD, "the process was killed before its program was executed");
		report_failure(report, NO_STEP, 0, &failure);
	}
	conn_send_error(&exec->client->conn, exec->request_id, report->failure.err, report->step, report->op, report->failure.detail);
	client_sent(exec->client);
}

static void answer_started(struct exec *exec)
{
	struct client *client = exec->client;
	exec->started = true;
	report_free(exec->task.report);
	exec->task.report = NULL;
	source_close(&exec->task.process.shim->loop, &exec->task.leash);
	process_listen(&exec->task.process);
	if (!client) return;
	client->wants_stdout = client->wants_stderr = true;
	client->wants_stdin = exec->task.process.has_stdin;
	process_attach(&exec->task.process, client);
	struct msg_exec_started started = {.pid = (uint32_t)exec->task.pid};
	CONN_SEND(&client->conn, exec->request_id, EXEC_STARTED, exec_started, 64, &started);
	client_sent(client);
}

/* False: there is nothing more to do now; the exec may be gone. */
static bool advance_starting(struct shim *shim, struct exec *exec)
{
	struct task *task = &exec->task;
	if (task->creator) return false;
	if (task_created(task)) {
		answer_started(exec);
		/* What came to pass while it was made. */
		if (exec->timed_out || (!exec->client && (exec->flags & EXEC_KILL_ON_CLOSE))) exec_kill(exec);
		return true;
	}
	if (task->pid > 0 && !task->reaped) {
		kill(task->pid, SIGKILL);
		return false;
	}
	answer_failed(exec);
	exec_free(shim, exec);
	return false;
}

static void finish(struct shim *shim, struct exec *exec)
{
	struct client *client = exec->client;
	struct msg_exited exited = {
		.id = exec->id,
		.pid = (uint32_t)exec->task.pid,
		.exit_code = exit_code_of(exec->task.status),
		.signal = (uint32_t)signal_of(exec->task.status),
		.exited_at_ns = exec->task.exited_at_ns,
		.timed_out = exec->timed_out,
	};
	size_t room = strlen(exec->id) + 64;
	process_drain(&exec->task.process); /* what a slow client has not fetched yet; the rest of the time for drains is over */
	if (client) CONN_SEND(&client->conn, 0, EXITED, exited, room, &exited);
	exec_free(shim, exec);
	if (client) client_finish(client);
}

/* May free the exec. */
void exec_advance(struct shim *shim, struct exec *exec)
{
	if (!exec->started && !advance_starting(shim, exec)) return;
	if (!exec->task.reaped) return;
	timer_clear(&shim->loop, &exec->timeout);
	/* Background processes may hold the pipes open: what they write is waited for only so long. */
	if (!exec->drained && !exec->drain.at && !process_is_quiet(&exec->task.process))
		timer_set(&shim->loop, &exec->drain, monotonic_ns() + (uint64_t)exec->drain_ms * 1000000u, drained);
	if (exec->drained || !exec->client || process_is_quiet(&exec->task.process)) finish(shim, exec);
}

void exec_client_gone(struct shim *shim, struct exec *exec)
{
	exec->client = NULL;
	if (exec->flags & EXEC_KILL_ON_CLOSE) exec_kill(exec);
	exec_advance(shim, exec);
}
